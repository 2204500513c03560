"""The model as the clients hear it."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.arguments import require_flag, require_instance, require_integers
from flq_jax.compressors import Broadcast, Compressor, direct
from flq_jax.keys import RoundKeys
from flq_jax.quantizers import Message, identity, segmented, tanh_grid, uniform
from flq_jax.quantizers.base import require_bits
from flq_jax.quantizers.straight_through import tanh_weights


class Downlink(NamedTuple):
    """How the server's model theta reaches the clients, and gradients come back.

    Attributes:
        compressor: of theta. All clients hear every broadcast, so that what they
            remember of earlier ones is the same.
        pullback: (theta, g) -> f32[d], the gradient at theta for a gradient g at the
            clients' model: straight through the rounding.
        adopted: whether the server steps on from the model that the clients heard, not
            from its own; then what a broadcast left out is gone.
        relayed: whether broadcasts are made with the key that the clients shared in the
            round before, not with one of their own.
    """

    compressor: Compressor
    pullback: Callable[[jax.Array, jax.Array], jax.Array]
    adopted: bool = False
    relayed: bool = False

    def key(self, keys: RoundKeys) -> jax.Array:
        """With which a round's broadcast is encoded and decoded."""
        return keys.last_shared if self.relayed else keys.downlink


class DownlinkState(NamedTuple):
    """What both ends of the downlink remember.

    Attributes:
        server: the compressor's memory at the server, which sends.
        clients: its memory at every client.
        origin: f32[d], which both ends knew before the first broadcast: the initial
            model where broadcasts are innovations, otherwise 0.
    """

    server: Any
    clients: Any
    origin: jax.Array


class Heard(NamedTuple):
    """One broadcast.

    Attributes:
        message: as it was sent.
        model: as the clients have it, f32[d].
        state: of the downlink, afterwards.
    """

    message: Message
    model: jax.Array
    state: DownlinkState


def compressed(
    compressor: Compressor, *, adopted: bool = False, relayed: bool = False
) -> Downlink:
    """Broadcasts by any compressor; gradients pass straight through.

    With `innovation(Q)` the clients' model w follows theta (Sun et al. 2022, TWO-LAQ):

        w <- w + Q(theta - w),   from w = theta at the start.

    That is error feedback on the server's updates (Tang et al. 2019), in other words:
    what theta is ahead of w is the sum of all updates less all that was broadcast, the
    e of `error_feedback`. Where it is adopted, theta <- w before each step and nothing is
    fed back: w <- w + Q(step) then, which is the broadcast of Artemis (Philippenko and
    Dieuleveut 2020; read in the authors' public code, philipco/artemis-bidirectional-
    compression, GradientUpdateMethod.py) with `innovation(Q, rate=a)` on the uplink.

    Where it is relayed, w moves by what the clients' own messages said. Perm-K's clients
    send one part each of their update in a rotation R that they share,

        w <- w + R^-1 (Q(z_0), ..., Q(z_(n-1))),   z = R (theta - w),

    and a server that steps by their mean has in z what they sent, which the same Q, part
    by part in the same R, says again: `perm_k(n, Q)` on the uplink, and a relayed, adopted
    `innovation(rotated(in_parts(Q, n)))` on the downlink: what all clients sent, at the cost of their messages. With Q = `sign()` it
    is exact for d a power of two; of d coordinates padded to n' it misses at most about
    sqrt(n' / d - 1) of the step's length, most of it in the direction of the step.

    Args:
        compressor: a `Compressor`, else TypeError. Neither lazy nor with a prescribed
            radius, ValueError: theta moves in every round, by steps that nobody has agreed
            upon in advance. Not `perm_k`, ValueError, whose clients take turns. Its reference takes whole steps, ValueError: what a smaller
            one keeps back is an average of models, which no client has.
        adopted: see `Downlink`; TypeError unless True or False. Needs a compressor with
            an estimate, such as `innovation`, ValueError otherwise.
        relayed: see `Downlink`; TypeError unless True or False.
    """
    require_instance("compressed", "compressor", compressor, Compressor)
    require_flag("compressed", "adopted", adopted)
    require_flag("compressed", "relayed", relayed)
    if compressor.silent or compressor.scheduled:
        raise ValueError(
            "compressed: a broadcast can be neither lazy nor on a grid with a prescribed "
            "radius: theta moves in every round, by steps not agreed upon in advance"
        )
    if compressor.turns:
        raise ValueError(
            "compressed: a broadcast has no turns: perm_k shares out coordinates among "
            "clients, and the server is one"
        )
    if compressor.rate != 1.0:
        raise ValueError(
            "compressed: a broadcast's reference takes whole steps, innovation(...) without "
            f"a rate, got rate={compressor.rate}"
        )
    if adopted and compressor.estimate is None:
        raise ValueError(
            "compressed: only what the server knows of the clients' model can be adopted: "
            "needs a compressor with an estimate, such as innovation(...)"
        )
    return Downlink(compressor, lambda theta, g: g, adopted, relayed)


def exact() -> Downlink:
    """The clients hear the server's own floats."""
    return compressed(direct(identity()))


def uniform_downlink(bits: int, sizes: Sequence[int]) -> Downlink:
    """A uniform grid over the range of each tensor; gradients pass straight through.

    Args:
        bits: bits a weight, 1 to 8; ValueError otherwise.
        sizes: lengths of the model's tensors, in the order of theta, 1 or more each;
            ValueError otherwise.
    """
    require_bits("uniform_downlink", bits)
    require_integers("uniform_downlink", "sizes", sizes)
    return compressed(direct(segmented(uniform(bits), sizes)))


def tanh_downlink(bits: int, sizes: Sequence[int]) -> Downlink:
    """DoReFa's tanh mapping of each tensor to a grid on [-1, 1] (Zhou et al. 2016, Eq. 9).

    The clients' model is 2 quantize_k(tanh theta / (2 max |tanh theta|) + 1/2) - 1, and
    the server pulls gradients back through tanh and the maximum, straight through the
    rounding.

    Args:
        bits: bits a weight, 2 to 8; ValueError otherwise.
        sizes: lengths of the model's tensors, in the order of theta, 1 or more each;
            ValueError otherwise.
    """
    require_bits("tanh_downlink", bits, low=2)
    require_integers("tanh_downlink", "sizes", sizes)
    ends = list(accumulate(sizes))[:-1]

    def mapped(theta):
        return jnp.concatenate([tanh_weights(w, bits) for w in jnp.split(theta, ends)])

    def pullback(theta, g):
        return jax.vjp(mapped, theta)[1](g)[0]

    return Downlink(direct(segmented(tanh_grid(bits), sizes)), pullback)


def downlink_state(downlink: Downlink, theta: jax.Array) -> DownlinkState:
    """The state before the first broadcast; theta is the initial model, f32[d]."""
    server, clients = downlink.compressor.init(theta.size)
    remembers = downlink.compressor.estimate is not None
    # A copy: a state is donated to its round, and no buffer can be donated twice.
    origin = jnp.copy(theta) if remembers else jnp.zeros_like(theta)
    return DownlinkState(server, clients, origin)


def stepped_from(
    downlink: Downlink, theta: jax.Array, state: DownlinkState
) -> jax.Array:
    """The model f32[d] from which the server steps, after the broadcast of theta."""
    if not downlink.adopted:
        return theta
    # pyrefly: ignore[not-callable] `compressed` has seen that it has one
    return state.origin + downlink.compressor.estimate(state.server)


def heard(
    downlink: Downlink,
    keys: RoundKeys,
    theta: jax.Array,
    state: DownlinkState,
    round_index: jax.Array | int,
) -> Heard:
    """Broadcasts theta, f32[d], in round i32[], and lets the clients decode it."""
    message, server = downlink.compressor.encode(
        downlink.key(keys), theta - state.origin, state.server, Broadcast(round_index)
    )
    model, clients = received(downlink, keys, message, state)
    return Heard(message, model, DownlinkState(server, clients, state.origin))


def received(
    downlink: Downlink,
    keys: RoundKeys,
    message: Message,
    state: DownlinkState,
) -> tuple[jax.Array, Any]:
    """A broadcast at the clients: their model f32[d], and what they remember then.

    Raises:
        ValueError: it decodes to another number of entries than the model has.
    """
    x_hat, clients = downlink.compressor.decode(
        jax.random.clone(downlink.key(keys)), message, state.clients
    )
    require_length("downlink", x_hat, state.origin)
    return state.origin + x_hat, clients


def require_length(link: str, x_hat: jax.Array, theta: jax.Array) -> None:
    """Raises ValueError, by shapes alone, unless the estimate is as long as the model."""
    if x_hat.shape != theta.shape:
        raise ValueError(
            f"{link}: what it sends must decode to as many entries as the model has, "
            f"f32{[*theta.shape]}, got f32{[*x_hat.shape]}"
        )
