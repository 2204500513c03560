"""Bytes that an attacker, a bad disk or a broken copy may leave."""

import numpy as np


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """`data` with some bytes changed, cut off, put in or repeated, or wholly random."""
    way = rng.integers(5)
    if way == 0:
        changed = np.frombuffer(data, np.uint8).copy()
        places = rng.integers(0, changed.size, rng.integers(1, 5))
        changed[places] = rng.integers(0, 256, places.size)
        return changed.tobytes()
    if way == 1:
        return data[: rng.integers(len(data))]
    at = rng.integers(len(data))
    if way == 2:
        return data[:at] + rng.bytes(4 * rng.integers(1, 4)) + data[at:]
    if way == 3:
        return data[:at] + data[max(0, at - 16) :]
    return rng.bytes(rng.integers(100))
