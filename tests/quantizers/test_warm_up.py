"""Floats first; whoever decodes needs no clock."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.compressors import Broadcast, error_feedback
from flq_jax.quantizers import identity, sign, top_k, warm_up

X = jnp.array([1.0, -2.0, 0.25])


def test_floats_until_the_warm_up_is_over(key):
    quantizer = warm_up(sign(), 2)
    for k, bits, x_hat in (
        (0, 96, X),
        (1, 96, X),
        (2, 35, sign_of(X)),
        (9, 35, sign_of(X)),
    ):
        message = quantizer.at(jnp.int32(k)).encode(key, X)
        assert message.num_bits == bits
        np.testing.assert_allclose(quantizer.decode(key, message), x_hat, rtol=1e-6)


def sign_of(x):
    return jnp.mean(jnp.abs(x)) * jnp.sign(x)


def test_there_is_no_error_to_feed_back_before(key):
    link = error_feedback(warm_up(sign(), 3))
    error, _ = link.init(3)
    for k in range(4):
        _, error = link.encode(jax.random.fold_in(key, k), X, error, Broadcast(k))
        np.testing.assert_allclose(error, jnp.zeros(3) if k < 3 else X - sign_of(X))


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: warm_up(sign(), 0), "rounds=0"),
        (lambda: warm_up(sign(), 1.5), "rounds=1.5"),
        (
            lambda: warm_up(warm_up(sign(), 1), 1),
            "no grid with a prescribed radius, and no choice",
        ),
        (lambda: warm_up(top_k(1, 3), 1).layout(3), "3 codes each"),
        (lambda: warm_up(identity(), 1).layout(3), "must differ in length"),
    ],
)
def test_what_cannot_be_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
