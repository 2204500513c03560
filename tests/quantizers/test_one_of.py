"""One of several quantizers: each message is its option's, and tells which."""

import jax
import numpy as np
import pytest

from flq_jax.quantizers import (
    geometric,
    identity,
    one_of,
    segmented,
    sign,
    stochastic,
    uniform,
)

OPTIONS = (sign(), uniform(2), stochastic(7), uniform(8), identity())
D = 33
decode = jax.jit(one_of(OPTIONS).decode)


@jax.jit
def chosen(choice, key, x):
    return one_of(OPTIONS).at(0, choice).encode(key, x)


@pytest.mark.parametrize("choice", range(len(OPTIONS)))
def test_a_message_is_the_options_own(choice, key):
    x, option = np.sin(np.arange(1, D + 1, dtype=np.float32)), OPTIONS[choice]

    @jax.jit
    def alone(key, x):
        message = option.encode(key, x)
        return message, option.decode(jax.random.clone(key), message)

    expected, x_hat = alone(jax.random.clone(key), x)
    message = chosen(choice, jax.random.clone(key), x)
    assert message.num_bits == expected.num_bits == option.layout(D).num_bits
    np.testing.assert_array_equal(message.codes, expected.codes)
    side = np.asarray(message.side)[: expected.side.size]
    np.testing.assert_array_equal(side, expected.side)
    # The decoder is not told the choice.
    np.testing.assert_array_equal(decode(jax.random.clone(key), message), x_hat)


def test_each_of_many_clients_chooses_for_itself(key):
    quantizer, choices = one_of(OPTIONS), np.arange(len(OPTIONS))
    x = np.random.default_rng(0).standard_normal((len(OPTIONS), D), np.float32)
    keys = jax.random.split(key, len(OPTIONS))

    @jax.jit
    @jax.vmap
    def roundtrip(key, x, choice):
        message = quantizer.at(0, choice).encode(key, x)
        return quantizer.decode(jax.random.clone(key), message), message.num_bits

    x_hat, num_bits = roundtrip(keys, x, choices)
    errors = np.linalg.norm(x_hat - x, axis=1)
    assert np.all(errors[:-1] > errors[1:]) and errors[-1] == 0.0
    lengths = [option.layout(D).num_bits for option in OPTIONS]
    np.testing.assert_array_equal(num_bits, lengths)


def test_without_a_choice_it_is_the_last():
    encode = jax.jit(one_of((sign(), uniform(2))).encode)
    message = encode(jax.random.key(0), np.arange(3, dtype=np.float32))
    assert message.num_bits == 2 * 3 + 32


def test_the_layout_holds_the_largest_and_knows_each():
    layout = one_of((sign(), identity())).layout(D)
    assert (layout.widest, layout.num_codes, layout.num_sides) == (32, D, 1)
    assert layout.num_bits == 32 * D
    assert layout.of_length(D + 32).scheme == "sign"
    assert layout.of_length(32 * D).floats
    assert layout.of_length(7) is None


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: one_of((sign(),)), "two options or more, got 1"),
        (lambda: one_of((sign(), uniform(4, geometric(1.0, 0.5)))), "no schedule"),
        (lambda: one_of((sign(), one_of((sign(), identity())))), "no schedule"),
        (lambda: one_of((sign(), uniform(1))).layout(9), r"got lengths=\[41, 41\]"),
        (
            lambda: one_of((identity(), sign()._replace(layout=_halved))).layout(8),
            r"must have 8 codes each, got codes=\[8, 4\]",
        ),
        (lambda: segmented(one_of((sign(), identity())), (1, 2)), "takes no choice"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def _halved(d):
    return sign().layout(d // 2)
