"""What the server makes of the clients' estimates."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

# (weights f32[m], which add up to 1 or are all 0; estimates f32[m, d]) -> f32[d]
Aggregate = Callable[[jax.Array, jax.Array], jax.Array]


def weighted_mean(weights: jax.Array, estimates: jax.Array) -> jax.Array:
    """sum_m w_m x_hat_m (McMahan et al. 2017), f32[d]."""
    return weights @ estimates


def majority_vote(weights: jax.Array, estimates: jax.Array) -> jax.Array:
    """sign(sum_m w_m sign(x_hat_m)), sign(0) = +1 (Bernstein et al. 2018, Alg. 3).

    A client votes for each coordinate with its weight, and a tie counts as +. Every step
    of the model is then +-alpha, so that `innovation(sign())` on the downlink brings it
    to the clients in one bit a coordinate.

    Returns:
        f32[d] of +1 and -1.
    """
    votes = weights @ jnp.where(estimates >= 0.0, 1.0, -1.0)
    # Weights are rounded: what is left of a tie would be as large as their last digit.
    return jnp.where(votes >= -1e-6, 1.0, -1.0)
