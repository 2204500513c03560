"""Tensors that are entropy-coded each for itself."""

import jax
import numpy as np
import pytest

from flq_jax import wire
from flq_jax.quantizers import apart, entropy_coded, identity, segmented, stochastic

SIZES = 200, 7, 100


def sent(quantizer, x):
    """(bits, what a frame decodes to) of x."""
    key = jax.random.key(0)
    message = jax.jit(quantizer.encode)(key, x)
    layout = quantizer.layout(x.size)
    again = wire.unpack(wire.pack(message, layout), layout)
    jax.tree.map(np.testing.assert_array_equal, again, message)
    return int(message.num_bits), quantizer.decode(jax.random.clone(key), again)


def test_a_tensor_of_zeros_costs_a_float_and_a_bit_where_others_stand():
    """A bit for each tensor tells which; 33 + (1 + 7 32) + (1 + 100 32) in all."""
    x = np.random.default_rng(0).standard_normal(307).astype(np.float32)
    x[:200] = 0.0
    bits, x_hat = sent(entropy_coded(apart(segmented(identity(), SIZES))), x)
    assert bits == 33 + 1 + 7 * 32 + 1 + 100 * 32
    np.testing.assert_array_equal(x_hat, x)


def test_quantized_zeros_cost_what_one_symbol_costs():
    """1 + 6 + 5 + 2 bits for 200 times the middle of 7 codes, a norm a tensor beside."""
    x = np.random.default_rng(0).standard_normal(307).astype(np.float32)
    part = entropy_coded(apart(segmented(stochastic(3), SIZES[1:])))
    rest, _ = sent(part, x[200:])
    x[:200] = 0.0
    whole = entropy_coded(apart(segmented(stochastic(3), SIZES)))
    bits, x_hat = sent(whole, x)
    assert abs(bits - rest - (32 + 14)) <= 40  # the others' dice are not the same
    assert not x_hat[:200].any() and x_hat[200:].any()


def test_without_an_entropy_code_nothing_changes():
    x = np.random.default_rng(0).standard_normal(307).astype(np.float32)
    plain, other = (
        segmented(stochastic(3), SIZES),
        apart(segmented(stochastic(3), SIZES)),
    )
    for found, wanted in zip(sent(other, x), sent(plain, x)):
        np.testing.assert_array_equal(found, wanted)


def test_it_belongs_within_the_code():
    with pytest.raises(ValueError, match=r"apart: belongs within"):
        apart(entropy_coded(stochastic(3))).layout(5)
