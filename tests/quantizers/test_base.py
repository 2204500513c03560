"""Lengths of messages, however long: none of these takes the memory of one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.compressors import direct
from flq_jax.quantizers import (
    Layout,
    Message,
    bucketed,
    drive,
    eden,
    identity,
    lloyd_max,
    natural,
    one_of,
    quic_fl,
    rand_k,
    rotated,
    segmented,
    sign,
    stochastic,
    thc,
    top_k,
    uniform,
    uveqfed,
)

BILLION = 10**9
QUANTIZERS = {
    "identity": (identity(), 32 * BILLION),
    "sign": (sign(), BILLION + 32),
    "uniform": (uniform(8), 8 * BILLION + 32),
    "natural": (natural(), 9 * BILLION),
    "lloyd_max": (lloyd_max(16), 4 * BILLION + 16 * 32),
    "uveqfed": (uveqfed("e8", 4), 4 * BILLION + 32),
    "segmented": (segmented(uniform(8), (BILLION - 1, 1)), 8 * BILLION + 64),
    "bucketed": (bucketed(stochastic(7), 10**6), 4 * BILLION + 32 * 1000),
    "top_k": (top_k(10**8, BILLION), 10**8 * (30 + 32)),
    "rand_k": (rand_k(10**8, BILLION), 10**8 * 32),
    "drive": (drive(), 2**30 + 32),
    "eden": (eden(4.5), 4 * 2**30 + 2**29 + 32),
    "quic_fl": (quic_fl(), 2**30 + 32),
    "thc": (thc(4), 4 * 2**30 + 32),
    "rotated": (rotated(uniform(8)), 8 * 2**30 + 32),
    "one_of": (one_of((sign(), uniform(4), identity())), 32 * BILLION),
}


@pytest.mark.parametrize("name", QUANTIZERS)
def test_a_message_about_a_billion_parameters_says_its_length(name):
    quantizer, bits = QUANTIZERS[name]
    layout = quantizer.layout(BILLION)
    assert layout.num_bits == bits == layout.bits_of(layout.length)
    x = jax.ShapeDtypeStruct((BILLION,), jnp.float32)
    traced = jax.make_jaxpr(quantizer.encode)(jax.random.key(0), x)
    assert traced.out_avals[0].shape == (layout.num_codes,)
    said = traced.jaxpr.outvars[-1]
    if name != "one_of":  # which chooses, as the program runs
        assert said.val == layout.length < 2**31
    assert said.aval.dtype == jnp.int32 and said.aval.shape == ()


def test_lengths_are_counted_in_bits_up_to_31_of_them():
    assert Layout.of("short", 1, 2**31 - 1).unit == 1
    long = Layout.of("long", 1, 2**31)
    assert (long.unit, long.length) == (2, 2**30)
    assert Layout.of("longer", 32, 2**31 - 1).length < 2**31
    assert long.bits_of(0) == 0 and long.of_length(2**31) is None


def stretched(quantizer, times):
    """The same codes, each said to be so many times as wide."""

    def layout(d):
        return Layout.of(f"{times}", times, d)

    def encode(key, x):
        message = quantizer.encode(key, x)
        return Message(message.codes, message.side, jnp.int32(layout(x.size).length))

    return quantizer._replace(layout=layout, encode=encode)


def test_an_option_is_told_by_its_length_among_long_ones(key):
    """4e8, 5.4e9 and 1.1e10 bits, of which i32 holds the first alone."""
    lengths = 2**26, 2**30, 2**31
    options = [stretched(sign(0.5 + i), bits) for i, bits in enumerate(lengths)]
    link, x = direct(one_of(options)), np.float32([1, -2, 3, -4, 5])
    layout = link.layout(5)
    for choice, bits in enumerate(lengths):
        message = one_of(options).at(0, choice).encode(jax.random.clone(key), x)
        assert layout.bits_of(message.num_bits) == 5 * bits
        x_hat, _ = link.decode(jax.random.clone(key), message, ())
        np.testing.assert_array_equal(x_hat, (0.5 + choice) * np.sign(x))


@pytest.mark.parametrize("other", [2**33 + 1, 1])
def test_options_that_the_unit_does_not_tell_apart_are_refused(other):
    """From each other, or 5 bits from silence."""
    options = stretched(sign(1.0), 2**33), stretched(sign(2.0), other)
    with pytest.raises(ValueError, match="differ in length, in units of 32 bits"):
        one_of(options).layout(5)
