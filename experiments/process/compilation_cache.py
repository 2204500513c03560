"""Compiled programs are kept on disk, so that the next start need not compile them."""

import hashlib
import os
import pathlib
import platform

import jax


def keep() -> None:
    """Keeps them in `folder()`, unless JAX has been told where, or not to keep any.

    Where that can't be made none are kept.

    `JAX_COMPILATION_CACHE_DIR` names another folder, `JAX_ENABLE_COMPILATION_CACHE=false`
    keeps none. A program is found again by its code, the options and version of its
    compiler, and its devices.
    """
    if jax.config.jax_compilation_cache_dir is None:
        try:
            where = folder()
            where.mkdir(parents=True, exist_ok=True)
        except (OSError, RuntimeError):  # nowhere to keep them: no HOME, a full disk
            return
        jax.config.update("jax_compilation_cache_dir", str(where))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def folder() -> pathlib.Path:
    """A folder of this kind of processor in the user's cache: others can't run them.

    RuntimeError if the user has none.
    """
    cache = os.environ.get("XDG_CACHE_HOME")
    if not cache:
        if os.environ.get("HOME") == "":  # Python would take the root's
            raise RuntimeError("HOME: must be a folder, is empty")
        cache = pathlib.Path.home() / ".cache"
    return pathlib.Path(cache) / "flq_jax" / _processor()


def _processor() -> str:
    """A digest of what the processor is able to; of the host's name if it does not say."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = [f"flags: {platform.node()}"]
    able = {line for line in lines if line.lower().startswith(("flags", "features"))}
    told = "\n".join([platform.machine(), *sorted(able)])
    return hashlib.sha256(told.encode()).hexdigest()[:12]
