"""Quantizers in a rotated space: DRIVE by composition, and the contract."""

import jax
import numpy as np
import pytest
from more import only

from flq_jax.quantizers import (
    bucketed,
    drive,
    fixed_point,
    geometric,
    identity,
    one_of,
    rotated,
    sign,
    stochastic,
    uniform,
    uveqfed,
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


def test_grids_that_fit_any_vector_are_taken_whatever_they_are_made_of():
    assert rotated(bucketed(stochastic(3), 2)).layout(3).num_bits == 3 * 4 + 2 * 32
    assert rotated(uveqfed("scalar", 4)).layout(3).num_bits == 4 * 4 + 32


QUANTIZERS = {
    "sign": (rotated(sign()), Claims(bits=lambda d: padded_size(d) + 32)),
    "qsgd": (
        rotated(stochastic(3)),
        Claims(True, bits=lambda d: 3 * padded_size(d) + 32),
    ),
    "uniform8": (rotated(uniform(8)), Claims(bits=lambda d: 8 * padded_size(d) + 32)),
}


@pytest.mark.parametrize("name", only({"qsgd"}, QUANTIZERS))
def test_the_contract_is_kept(name):
    check_quantizer(*QUANTIZERS[name])


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: rotated(identity()), "16 bits at most.*got identity"),
        (lambda: rotated(uniform(2, geometric(1.0, 0.5))), "takes no .* a schedule"),
        (lambda: rotated(one_of((sign(), uniform(8)))), r"got one_of\(sign\|uniform8"),
        (lambda: rotated(fixed_point(8, 4)), "an overload, .* got fixed8.4"),
        (lambda: rotated(bucketed(fixed_point(8, 4), 2)), "got fixed8.4/2"),
        (lambda: rotated(uveqfed("scalar", 4, 2.0)), "got uveqfed-scalar4-2.0"),
    ],
)
def test_what_cannot_be_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
