"""How much memory there is for a run."""

import pathlib

CGROUP = pathlib.Path("/sys/fs/cgroup")
MEMINFO = pathlib.Path("/proc/meminfo")
UNITS = ("B", "kB", "MB", "GB", "TB")


def available() -> int | None:
    """Bytes that JAX's devices have left, None where nobody tells, as of several processes.

    A CPU's are what the system could give without swapping, and no more than what its
    control group (version 2) allows; those of accelerators are all of theirs together.
    """
    import jax

    if jax.process_count() > 1:
        return None
    found = [device.memory_stats() for device in jax.devices()]
    if jax.devices()[0].platform != "cpu":
        told = [s for s in found if s and "bytes_limit" in s]
        left = [s["bytes_limit"] - s.get("bytes_in_use", 0) for s in told]
        return sum(left) if told else None
    rest = [left for left in (_of_system(), _of_group()) if left is not None]
    return min(rest, default=None)


def text(size: int) -> str:
    """ "3.27 GB": bytes in decimal units, three digits."""
    power = min((len(str(size)) - 1) // 3, len(UNITS) - 1)
    return f"{size / 1000**power:.3g} {UNITS[power]}" if power else f"{size} B"


def _of_system() -> int | None:
    try:
        lines = MEMINFO.read_text(encoding="utf-8").splitlines()
        (line,) = [line for line in lines if line.startswith("MemAvailable:")]
        return 1024 * int(line.split()[1])
    except (OSError, ValueError, IndexError):
        return None


def _of_group() -> int | None:
    try:
        limit, used = (
            int((CGROUP / name).read_text(encoding="utf-8"))
            for name in ("memory.max", "memory.current")
        )
        return max(limit - used, 0)
    except (OSError, ValueError):  # there is none, or "max"
        return None
