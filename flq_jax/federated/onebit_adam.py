"""Adam whose second moment freezes, so that momenta may be sent in few bits."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from flq_jax.arguments import require_integer
from flq_jax.single import single


class OneBitAdamState(NamedTuple):
    """What the server remembers.

    Attributes:
        count: t, updates so far, i32[].
        warmed: those of them in the warm-up, i32[].
        average: M, the clients' mean average as last received.
        variance: v, the second moment.
    """

    count: jax.Array
    warmed: jax.Array
    average: optax.Updates
    variance: optax.Updates


class OneBitAdam(optax.GradientTransformationExtraArgs):
    """The optimizer, and what it asks of the clients.

    Attributes:
        warm_up: T.
        b1: the beta of their averages.
    """

    warm_up: int
    b1: float


def onebit_adam(
    step: float | jax.Array,
    warm_up: int,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
) -> optax.GradientTransformationExtraArgs:
    """1-bit Adam at the server (Tang et al. 2021), of averages that the clients made.

    Clients send m_t = b1 m_(t-1) + (1 - b1) g_t, see `momentum`, exactly during the
    warm-up, the first T rounds; so the mean gradient is known then, and v is Adam's:

        g_t = (M_t - b1 M_(t-1)) / (1 - b1),   v_t = b2 v_(t-1) + (1 - b2) g_t^2,  t <= T,
        v_t = v_T,                                                                 t > T,
        theta <- theta - step (M_t / (1 - b1^t)) / (sqrt(v_t / (1 - b2^min(t, T))) + eps).

    For t <= T that is Adam (Kingma and Ba 2015). The round index says when the warm-up
    ends, as it does for the link (`warm_up`); where it is not given, as outside of
    `round_step`, every update is a round. If none of the warm-up was heard there is no
    v, and no step is taken. All clients must take part in every round: of others'
    averages M_t - b1 M_(t-1) is no gradient. `federation` holds both ends to that. In
    the paper all clients go on from the mean momentum as it was broadcast; here each
    goes on from its own, which has the same mean where nothing is lost in compression.

    A coordinate whose gradients are far smaller than the others' gets an error of theirs
    from a scaled sign, and 1 / sqrt(v) would make steps without bound of it: on pixels
    that are nearly always black the algorithm diverges with Adam's usual eps. It should
    be of the size of the gradients that matter (tau of Reddi et al. 2021).

    Args:
        step: above 0; it may be a traced f32[], which nothing checks.
        warm_up: T, rounds, 1 or more.
        b1: the clients' beta, in [0, 1).
        b2: in [0, 1).
        eps: above 0.

    Raises:
        ValueError: a parameter is out of its range.
    """
    require_integer("onebit_adam", "warm_up", warm_up, 1)
    if not (0.0 <= single(b1) < 1.0 and 0.0 <= single(b2) < 1.0):
        raise ValueError(f"onebit_adam: b1 and b2 must be in [0, 1), got {b1=} {b2=}")
    given = isinstance(step, jax.Array) or 0.0 < single(step) < math.inf
    if not (given and 0.0 < single(eps) < math.inf):
        raise ValueError(f"onebit_adam: must be finite and above 0, got {step=} {eps=}")

    def init(params):
        def zeros():
            return jax.tree.map(jnp.zeros_like, params)

        return OneBitAdamState(jnp.int32(0), jnp.int32(0), zeros(), zeros())

    def update(updates, state, params=None, *, round_index=None, **others):
        del params, others
        average = updates
        count = state.count + 1
        warming = (state.count if round_index is None else round_index) < warm_up
        warmed = state.warmed + warming
        first = 1.0 - b1**count
        second = 1.0 - b2**warmed

        def variance(v, new, old):
            gradient = (new - b1 * old) / (1.0 - b1)
            return jnp.where(warming, b2 * v + (1.0 - b2) * gradient**2, v)

        def stepped(m, v):
            moved = -step * (m / first) / (jnp.sqrt(v / second) + eps)
            return jnp.where(warmed > 0, moved, 0.0)

        frozen = jax.tree.map(variance, state.variance, average, state.average)
        state = OneBitAdamState(count, warmed, average, frozen)
        return jax.tree.map(stepped, average, frozen), state

    made = OneBitAdam(init, update)
    made.warm_up, made.b1 = warm_up, b1
    return made
