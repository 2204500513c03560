"""Every quantizer of ours keeps what it claims: one line each."""

import jax.numpy as jnp
import pytest

from flq_jax.quantizers import (
    geometric,
    identity,
    segmented,
    sign,
    stochastic,
    tanh_grid,
    uniform,
)
from flq_jax.testing import Claims, check_quantizer


def top(x):
    return jnp.max(jnp.abs(x))


def squared(x):
    return jnp.sum(jnp.square(x))


def of_sign(x):
    """(1 - delta) ||x||^2 with delta = ||x||_1^2 / (d ||x||^2)."""
    return squared(x) - jnp.sum(jnp.abs(x)) ** 2 / x.size


def of_qsgd(x, s):
    return min(x.size / s**2, x.size**0.5 / s) * squared(x)


R = 4.0  # a prescribed radius
QUANTIZERS = {
    "identity": (identity(), Claims(True, lambda x: 0.0, lambda x: 0.0, lambda d: 32 * d)),
    "sign": (sign(), Claims(False, lambda x: top(x) + jnp.mean(jnp.abs(x)), of_sign, lambda d: d + 32)),
    "tanh2": (tanh_grid(2), Claims(bits=lambda d: 2 * d, zero=False)),
    "tanh8": (tanh_grid(8), Claims(bits=lambda d: 8 * d, zero=False)),
    **{f"uniform{b}": (uniform(b), Claims(False, lambda x, b=b: top(x) / (2**b - 1), bits=lambda d, b=b: b * d + 32)) for b in (1, 2, 3, 5, 8)},
    **{f"prescribed{b}": (uniform(b, geometric(R, 0.5)), Claims(False, lambda x, b=b: R / (2**b - 1), bits=lambda d, b=b: b * d, zero=False)) for b in (2, 8)},
    "stochastic1": (stochastic(1), Claims(True, jnp.linalg.norm, lambda x: of_qsgd(x, 1), lambda d: 2 * d + 32)),
    "stochastic3": (stochastic(3), Claims(True, lambda x: jnp.linalg.norm(x) / 3, lambda x: of_qsgd(x, 3), lambda d: 3 * d + 32)),
    "stochastic127": (stochastic(127), Claims(True, lambda x: jnp.linalg.norm(x) / 127, lambda x: of_qsgd(x, 127), lambda d: 8 * d + 32)),
    "stochastic1-max": (stochastic(1, "max"), Claims(True, top, bits=lambda d: 2 * d + 32)),
    "stochastic7-max": (stochastic(7, "max"), Claims(True, lambda x: top(x) / 7, bits=lambda d: 4 * d + 32)),
}  # fmt: skip


@pytest.mark.parametrize("name", QUANTIZERS)
def test_what_is_claimed_is_what_is_measured(name):
    check_quantizer(*QUANTIZERS[name])


def test_segments_keep_the_contract_too():
    claims = Claims(False, lambda x: top(x) / 7, bits=lambda d: 3 * d + 64)
    check_quantizer(segmented(uniform(3), (3, 30)), claims, sizes=[33])
