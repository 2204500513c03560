"""Quantizers and compressors with one planted bug each: the check that must find it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.compressors import direct, error_feedback, innovation, lazy
from flq_jax.quantizers import (
    Layout,
    Message,
    identity,
    one_of,
    sign,
    stochastic,
    uniform,
)
from flq_jax.testing import Claims, check_compressor, check_quantizer

GOOD = uniform(3)


def encoding(change):
    """A good quantizer whose messages are changed by (x, message) -> message."""
    return GOOD._replace(encode=lambda key, x: change(x, GOOD.encode(key, x)))


def decoding(change):
    """A good quantizer whose estimates are changed by (x_hat) -> x_hat."""
    return GOOD._replace(decode=lambda key, message: change(GOOD.decode(key, message)))


def narrowed(x, message):
    del message
    return uniform(3).encode(None, x)._replace(num_bits=jnp.int32(2 * x.size + 32))


def shortened(x, message):
    del x
    return message._replace(num_bits=message.num_bits - 32)


def nan_is_the_top_code(x, message):
    return message._replace(
        codes=jnp.where(jnp.isnan(x), jnp.uint8(255), message.codes)
    )


def host_noise(x_hat):
    return x_hat + np.random.default_rng().normal(size=x_hat.shape).astype(np.float32)


@jax.custom_batching.custom_vmap
def own_radius(x):
    return jnp.max(jnp.abs(x), keepdims=True)


@own_radius.def_vmap
def twice_the_radius(axis_size, in_batched, x):
    del axis_size, in_batched
    return 2.0 * jnp.max(jnp.abs(x), axis=1, keepdims=True), True


def of_the_batch(x, message):
    return message._replace(side=own_radius(x))


def standardized(x, message):
    return message._replace(side=message.side / jnp.where(jnp.std(x) > 0, 1.0, 0.0))


def sampled_deviation(x, message):
    return message._replace(side=message.side + 0.0 * jnp.std(x, ddof=1))


def over_its_square(x, message):
    square = jnp.where(jnp.any(x != 0), message.side**2, 1.0)
    return message._replace(side=message.side * (message.side**2 / square))


def quartic_radius(x, message):
    return message._replace(side=message.side + 0.0 * jnp.sum(x**4))


def a_little_wider(x, message):
    del x
    return message._replace(side=message.side + jnp.float32(1e-12))


def of_no_norm(x, message):
    there = jnp.sqrt(jnp.sum(jnp.square(x))) > 0.0
    return message._replace(side=jnp.where(there, message.side, 0.0))


def large_is_overload(x):
    return jnp.max(jnp.abs(x)) > 1e9


def radius_of_one(x, message):
    return message._replace(side=jnp.where(jnp.any(x != 0), message.side, 1.0))


def top(x):
    return jnp.max(jnp.abs(x))


def top_seventh(x):
    return top(x) / 7


def squared(x):
    return jnp.sum(jnp.square(x))


def told_in_secret():
    """What crosses is all zeros; the decoder finds d where the encoder left it."""
    left = {}

    def encode(key, x):
        del key
        left["d"] = x.size
        return Message(jnp.zeros(1, jnp.uint8), jnp.zeros(0), jnp.int32(1))

    def decode(key, message):
        del key, message
        return jnp.zeros(left["d"])

    return GOOD._replace(encode=encode, decode=decode, layout=ONE_BIT)


def from_the_host(key, message):
    del key
    like = jax.ShapeDtypeStruct((message.codes.size,), jnp.float32)
    return jax.pure_callback(
        lambda _: np.zeros(like.shape, np.float32), like, message.num_bits
    )


def the_same_twice(key, message):
    noise = jax.random.uniform(key) - jax.random.uniform(key)
    return GOOD.decode(None, message) + noise


def short_second_option(round_index, choice):
    quantizer = CHOICE.choose(round_index, choice)

    def encode(key, x):
        message = quantizer.encode(key, x)
        less = jnp.where(choice == 1, 7, 0)
        return message._replace(num_bits=message.num_bits - less)

    return quantizer._replace(encode=encode)


def ONE_BIT(d):
    del d
    return Layout.of("one bit", bits=1, num_codes=1)


CHOICE = one_of((sign(), uniform(4)))
MISCOUNTED = CHOICE._replace(choose=short_second_option)
BIASED = stochastic(4, "max")._replace(
    encode=lambda key, x: stochastic(4, "max").encode(key, 0.8 * x)
)
QUANTIZERS = {
    "shorter than its layout": (encoding(shortened), Claims(), "^bits: normal"),
    "longer than claimed": (GOOD, Claims(bits=lambda d: 3 * d), "^bits: .* got 35"),
    "codes too wide": (encoding(narrowed)._replace(layout=uniform(2).layout), Claims(), "^wire: .*codes must be 2 bits, got 3"),
    "NaN too wide": (encoding(nan_is_the_top_code), Claims(), "^wire: NaN"),
    "half floats": (decoding(lambda x: x.astype(jnp.float16)), Claims(), "^estimate"),
    "one too few": (decoding(lambda x: x[1:]), Claims(), "^estimate"),
    "wide num_bits": (
        encoding(lambda x, m: m._replace(num_bits=m.num_bits.astype(jnp.float32))),
        Claims(),
        "^message: .*num_bits",
    ),
    "NumPy's noise": (decoding(host_noise), Claims(zero=False), "^vmap"),
    "not the batch's radius": (encoding(of_the_batch), Claims(), "^vmap"),
    "zero is not": (encoding(radius_of_one), Claims(), "^zero: zero of length 1"),
    "constants divide by 0": (encoding(standardized), Claims(), "^finite: normal of length 1:|^finite: constant"),
    "one number has no deviation": (encoding(sampled_deviation), Claims(), "^finite: .*length 1:"),
    "huge to the fourth": (encoding(quartic_radius), Claims(), "^finite: huge"),
    "tiny squared": (encoding(over_its_square), Claims(), "^finite: (denormal|tiny)"),
    "added to a range": (encoding(a_little_wider), Claims(zero=False), r"^scale: normal.* times 2\^-"),
    "a norm underflows": (encoding(of_no_norm), Claims(), r"^scale: normal.* times 2\^-"),
    "a norm underflows, as claims tell": (encoding(of_no_norm), Claims(error=top_seventh), "^error: tiny"),
    "large is overload": (GOOD._replace(overload=large_is_overload), Claims(), r"^scale: .*2\^66: must be overload False"),
    "error": (GOOD, Claims(error=lambda x: top(x) / 8), "^error: .*must be at most"),
    "deterministic, not unbiased": (GOOD, Claims(unbiased=True), "^unbiased: .*at coord"),
    "shrunk, not unbiased": (BIASED, Claims(unbiased=True), "^unbiased"),
    "overload for all": (GOOD._replace(overload=lambda x: squared(x) >= 0), Claims(error=lambda x: 0.0), "^overload: normal.* no overload"),
    "overload for each": (GOOD._replace(overload=lambda x: x > 9), Claims(), r"^overload: .*must be bool\[\]"),
    "the second option is short": (MISCOUNTED, Claims(), r"^bits: .*option 1: must be 33 or 36, got 29"),
    "told in secret": (told_in_secret(), Claims(), "^decoder: .*KeyError"),
    "from the host": (GOOD._replace(decode=from_the_host), Claims(), "^decoder: .*pure_callback"),
    "one key twice": (GOOD._replace(decode=the_same_twice), Claims(zero=False), "^keys: .*length 1:"),
    "squared error": (sign(), Claims(squared_error=lambda x: 0.3 * squared(x)), "^squared"),
}  # fmt: skip


@pytest.mark.parametrize("name", QUANTIZERS)
def test_a_planted_bug_is_found_by_the_check_that_is_meant(name):
    quantizer, claims, match = QUANTIZERS[name]
    with pytest.raises(AssertionError, match=match):
        check_quantizer(quantizer, claims)


def test_a_choice_whose_default_is_not_the_longest_is_a_quantizer():
    floats = one_of((sign(), identity()))  # 33 bits or 32, of one number
    check_quantizer(floats, sizes=[1])


def test_sizes_are_needed():
    with pytest.raises(ValueError, match=r"sizes=\(\)"):
        check_quantizer(GOOD, sizes=())


LINK = innovation(uniform(3))


def _own_x(key, x, memory, broadcast):
    return LINK.encode(key, x, memory, broadcast)[0], x


def _restless(key, message, memory, broadcast):
    x_hat, memory = LINK.decode(key, message, memory, broadcast)
    return x_hat, 0.5 * memory


def _half(key, message, memory, broadcast):
    x_hat, memory = LINK.decode(key, message, memory, broadcast)
    return x_hat, memory.astype(jnp.float16)


def _whispering(key, x, memory, broadcast):
    link = lazy(LINK)
    message, memory = link.encode(key, x, memory, broadcast)
    return message._replace(side=jnp.ones_like(message.side)), memory


def _babbling(key, message, memory, broadcast):
    del broadcast
    return sign().decode(key, message) + 1.0, memory


def _by_choice(key, message, memory, broadcast):
    """Decodes by what the server is not told."""
    options = [quantizer.decode(None, message) for quantizer in (sign(), uniform(4))]
    x_hat = jnp.where(broadcast.choice == 0, *options)
    return jnp.where(message.num_bits > 0, x_hat, 0.0), memory


def _deaf(key, x, memory, broadcast):
    return LINK.encode(key, jnp.zeros_like(x), memory, broadcast)


@jax.custom_batching.custom_vmap
def own(memory):
    return memory


@own.def_vmap
def the_neighbours(axis_size, in_batched, memory):
    del axis_size, in_batched
    return jnp.roll(memory, 1, axis=0), True


def _mixed(key, x, memory, broadcast):
    return LINK.encode(key, x, own(memory), broadcast)


COMPRESSORS = {
    "the second option is short": (
        direct(MISCOUNTED),
        "^wire: .*num_bits must be 0 or 55 or 124",
    ),
    "reads the choice": (direct(CHOICE)._replace(decode=_by_choice), "^choice: round"),
    "no overload": (LINK._replace(overload=None), "^overload: .*got None"),
    "told in secret": (innovation(told_in_secret()), "^decoder: .*KeyError"),
    "never looks at x": (LINK._replace(encode=_deaf), "^x: 100 rounds"),
    "memories of others": (LINK._replace(encode=_mixed), "^vmap: round 1, client 0"),
    "never silent, it says": (lazy(LINK)._replace(silent=False), "^silence: .*True"),
    "the client remembers x": (LINK._replace(encode=_own_x), "^memory: round"),
    "decays while nobody speaks": (
        LINK._replace(decode=_restless, estimate=None, mirrored=None),
        "^silence: round",
    ),
    "mirrors something else": (
        LINK._replace(mirrored=lambda memory: -memory),
        "^mirrored: round",
    ),
    "mirrors nothing": (
        LINK._replace(mirrored=lambda memory: ()),
        "^mirrored: round 0",
    ),
    "memory in another dtype": (LINK._replace(decode=_half), "^memory: round 0"),
    "silence with a side": (
        lazy(LINK)._replace(encode=_whispering),
        "^wire: .*silent message must be all zeros",
    ),
    "silence is heard": (
        direct(sign())._replace(decode=_babbling),
        "^silence: .*x_hat = 0",
    ),
    "another layout": (
        LINK._replace(layout=GOOD.layout)._replace(layout=sign().layout),
        "^wire",
    ),
}


@pytest.mark.parametrize("name", COMPRESSORS)
def test_a_planted_bug_in_a_link_is_found(name):
    link, match = COMPRESSORS[name]
    with pytest.raises(AssertionError, match=match):
        check_compressor(link)


def _adds_it_again(key, x, error, broadcast):
    message, error = FEEDBACK.encode(key, x, error, broadcast)
    return message, -error


FEEDBACK = error_feedback(uniform(2))


def test_a_claim_to_follow_x_holds_or_is_refused():
    # |e_i| <= (|x|_inf + |e|_inf) / 3, hence |e|_inf <= |x|_inf / 2 <= ||x|| / 2, and the
    # mean of 100 estimates is off by ||e|| / 100 <= 23**0.5 / 200 ||x||.
    follows = 23**0.5 / 200
    check_compressor(FEEDBACK, follows=follows)
    with pytest.raises(AssertionError, match="^follows: 100 rounds"):
        check_compressor(FEEDBACK._replace(encode=_adds_it_again), follows=follows)
