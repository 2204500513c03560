"""Whether the process keeps the memory that it frees: faster, and never smaller again."""

import ctypes
import os
import sys

ASKED = "FLQ_JAX_KEEP_MEMORY"
# Of <malloc.h>: one arena; no buffer from the system by itself; nothing given back.
_SETTINGS = {-8: 1, -3: 2**31 - 1, -1: 2**31 - 1}


def keep() -> bool:
    """Keeps it if the environment says `FLQ_JAX_KEEP_MEMORY=1`; whether that is so now.

    glibc takes a buffer of more than 32 MB from the system and gives it back when it is
    freed, so that each page of it faults again in every round: the gradients of 100
    clients of the 784-200-10 network are 64 MB. Kept, a round of them takes less time
    (`FLQ_JAX_KEEP_MEMORY=1 python -m benchmarks.federated_step --models=mlp`), and
    results are the same. It holds for the whole process, and is to be asked for before
    there are threads; without glibc it does nothing.
    """
    if os.environ.get(ASKED) != "1" or not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(mallopt(option, value) == 1 for option, value in _SETTINGS.items())
