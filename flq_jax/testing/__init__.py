"""The contract of quantizers and compressors, as checks for a researcher's own.

    check_quantizer(mine(), Claims(unbiased=True, error=lambda x: jnp.max(jnp.abs(x))))
    check_compressor(innovation(mine()))

Each raises AssertionError at the first promise that is broken, and says which, what must
hold and what came. Nothing here is needed to run an experiment.
"""

from flq_jax.testing.claims import Claims
from flq_jax.testing.compressors import check_compressor
from flq_jax.testing.quantizers import check_quantizer

__all__ = ["Claims", "check_compressor", "check_quantizer"]
