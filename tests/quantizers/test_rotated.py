"""Quantizers in a rotated space: DRIVE by composition, and the contract."""

import jax
import numpy as np
import pytest

from flq_jax.quantizers import (
    drive,
    geometric,
    identity,
    rotated,
    sign,
    stochastic,
    uniform,
)
from flq_jax.quantizers.rotation import padded_size
from flq_jax.testing import Claims, check_quantizer


def test_drives_least_error_is_the_rotated_sign(key):
    x = np.random.default_rng(0).standard_normal(100).astype(np.float32)
    key_rotation, _ = jax.random.split(jax.random.clone(key))
    one = jax.jit(rotated(sign()).encode)(key, x)
    other = jax.jit(drive(unbiased=False).encode)(key_rotation, x)
    np.testing.assert_array_equal(one.codes, other.codes)
    np.testing.assert_allclose(one.side, other.side, rtol=1e-5)


QUANTIZERS = {
    "sign": (rotated(sign()), Claims(bits=lambda d: padded_size(d) + 32)),
    "qsgd": (
        rotated(stochastic(3)),
        Claims(True, bits=lambda d: 3 * padded_size(d) + 32),
    ),
    "uniform8": (rotated(uniform(8)), Claims(bits=lambda d: 8 * padded_size(d) + 32)),
}


@pytest.mark.parametrize("name", QUANTIZERS)
def test_the_contract_is_kept(name):
    check_quantizer(*QUANTIZERS[name])


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: rotated(identity()), "16 bits at most.*got identity"),
        (lambda: rotated(uniform(2, geometric(1.0, 0.5))), "no schedule"),
    ],
)
def test_what_cannot_be_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
