"""Settings of JAX that the surroundings make: pinned, or told in the summary.

One rule for all of them. What would give other random numbers or types, or end in an error
of JAX's, is pinned for the commands, and one line says so. What a user may well want (a
precision of products, checks, flags of the compiler) is heeded, and stands in
`summary.json` beside the figures.
"""

import os

from .console import tell
from .errors import ConfigError

PINNED = {
    "jax_default_prng_impl": "threefry2x32",
    "jax_enable_x64": False,
    "jax_high_dynamic_range_gumbel": False,
    "jax_numpy_dtype_promotion": "standard",
    "jax_random_seed_offset": 0,
    "jax_threefry_partitionable": True,
    "jax_transfer_guard": "allow",
}
HEEDED = "LIBTPU_INIT_ARGS", "NVIDIA_TF32_OVERRIDE", "XLA_FLAGS"
# Where programs are kept changes none of them.
_CACHES = (
    "JAX_COMPILATION_CACHE",
    "JAX_ENABLE_COMPILATION_CACHE",
    "JAX_PERSISTENT_CACHE",
)


def pin() -> None:
    """Sets what is pinned; to be called before anything is computed.

    Raises:
        ConfigError: a variable of the environment has a value that JAX can't read.
    """
    try:
        import jax
    except ValueError as error:
        raise ConfigError(f"a JAX_... variable of the environment: {error}") from error
    for name, value in PINNED.items():
        there = getattr(jax.config, name)
        if there not in (value, None):
            tell(f"{name.upper()}={there} is not heeded: it is {value} for all figures")
            jax.config.update(name, value)


def require_devices() -> None:
    """Raises `ConfigError` if there is no device of the kind that JAX_PLATFORMS asks for.

    Several processes are joined before.
    """
    import jax

    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        asked = os.environ.get("JAX_PLATFORMS", "")
        why = str(error) or "no such device, or no plugin for it is installed"
        raise ConfigError(f"JAX_PLATFORMS={asked}: {why}") from error


def settings() -> dict[str, str]:
    """The variables of the environment that JAX heeds here, by name."""
    return {
        name: value
        for name, value in sorted(os.environ.items())
        if (name.startswith("JAX_") or name in HEEDED)
        and name.lower() not in PINNED
        and not name.startswith(_CACHES)
    }
