"""What the server makes of the clients' estimates."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.precision import EXACT


class Aggregate(NamedTuple):
    """u = verdict(sum_m w_m share(x_hat_m)), so that any part of the sum can wait.

    The weights w_m add up to 1, or are all 0.

    Attributes:
        share: f32[..., d] -> f32[..., d], what an estimate puts into the sum.
        verdict: f32[d] -> f32[d], what the server makes of the sum.
    """

    share: Callable[[jax.Array], jax.Array]
    verdict: Callable[[jax.Array], jax.Array]

    @property
    def linear(self) -> bool:
        """Whether the sum is of the estimates themselves."""
        return self.share is _itself


def _itself(x: jax.Array) -> jax.Array:
    return x


def _sign(x: jax.Array, above: float = 0.0) -> jax.Array:
    return jnp.where(x >= above, 1.0, -1.0)


# sum_m w_m x_hat_m (McMahan et al. 2017).
WEIGHTED_MEAN = Aggregate(_itself, _itself)

# sign(sum_m w_m sign(x_hat_m)), sign(0) = +1 (Bernstein et al. 2018, Alg. 3). A client
# votes for each coordinate with its weight, and a tie counts as +: weights are rounded,
# so that what is left of a tie is as large as their last digit. Every step of the model
# is then +-alpha, and `innovation(sign())` on the downlink brings it to the clients in
# one bit a coordinate.
MAJORITY_VOTE = Aggregate(_sign, lambda votes: _sign(votes, -1e-6))


def shares(
    weights: jax.Array,
    total: jax.Array,
    normaliser: Callable[[jax.Array | np.ndarray], jax.Array] | None,
    sizes: jax.Array | np.ndarray,
) -> jax.Array:
    """What each client's estimate counts for in the server's sum, f32[s].

    p_m = w_m / total; with a normaliser a (Wang et al. 2020, FedNova) tau p_m / a_m, where
    tau = sum_m p_m a_m.

    Args:
        weights: w, f32[s], 0 or more.
        total: their sum, f32[].
        normaliser: sizes -> a, f32[s], 1 or more; None for plain p.
        sizes: examples of these clients, i32[s].
    """
    p = weights / jnp.maximum(total, 1.0)
    if normaliser is None:
        return p
    a = normaliser(sizes)
    return jnp.vdot(p, a, precision=EXACT) * p / a
