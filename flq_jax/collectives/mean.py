"""A mean over the devices of a mesh, for which messages travel in place of floats."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from flq_jax.collectives.payloads import packed, unpacked
from flq_jax.collectives.refusals import (
    place,
    require_arguments,
    require_one_length,
    require_row,
)
from flq_jax.collectives.state import Axis, MeanState
from flq_jax.collectives.trees import flat, like, size
from flq_jax.compressors import Broadcast, Compressor, direct
from flq_jax.quantizers import Layout, Quantizer


class CompressedMean(NamedTuple):
    """A mean over replicas, made by `compressed_mean`, which says what it is.

    Attributes:
        link: of every replica.
        axis: of a mesh, along which the replicas lie.
        replicas: R.
    """

    link: Compressor
    axis: Axis | None
    replicas: int

    def layout(self, tree: Any) -> Layout:
        """That of a message about such a tree, of arrays or of their shapes.

        Raises:
            TypeError: there are leaves of other than floats.
            ValueError: there are no numbers, or messages would differ in length.
        """
        return require_one_length(self.link.layout(size(tree)))

    def init(self, tree: Any) -> MeanState:
        """What all replicas remember before the first mean; raises as `layout` does."""
        self.layout(tree)
        senders, receivers = jax.tree.map(
            lambda leaf: jnp.repeat(leaf[None], self.replicas, axis=0),
            self.link.init(size(tree)),
        )
        return MeanState(senders, receivers, jnp.int32(0))

    def apply(
        self, key: jax.Array, state: MeanState, tree: Any
    ) -> tuple[Any, MeanState, jax.Array]:
        """The mean of what the replicas' trees are decoded to; inside `jax.shard_map`.

        Args:
            key: one for all replicas, another one for each mean.
            state: with this replica's row of the senders, see `state_specs`.
            tree: this replica's.

        Returns:
            The mean, with the tree's shapes and dtypes; the state; and the bits of this
            replica's message, i32[], in units of the layout's `unit`.

        Raises:
            TypeError: as `layout`.
            ValueError: as `layout`; or the axis is not mapped, or of another size; or the
                state is not one of such a tree, or not one row.
        """
        replica = place(self.axis, self.replicas)
        require_row(state, jax.eval_shape(self.init, tree), self.axis)
        mine = jax.tree.map(lambda leaf: leaf[0], state.senders)
        payload, mine = self.send(key, replica, mine, state.round_index, tree)
        payloads = payload[None]
        if self.axis is not None:
            payloads = lax.all_gather(payload, self.axis, to="invarying")
        mean, receivers = self.receive(
            key, state.receivers, state.round_index, payloads, tree
        )
        senders = jax.tree.map(lambda leaf: leaf[None], mine)
        after = MeanState(senders, receivers, state.round_index + 1)
        return mean, after, jnp.int32(self.layout(tree).length)

    def send(
        self,
        key: jax.Array,
        replica: jax.Array | int,
        sender: Any,
        round_index: jax.Array | int,
        tree: Any,
    ) -> tuple[jax.Array, Any]:
        """The first half of `apply`: (payload u8[rows, 128], sender).

        Args:
            key: as in `apply`.
            replica: whose it is, i32[] in 0..R-1.
            sender: what it remembers, its row of `MeanState.senders`.
            round_index: i32[], that of the state.
            tree: the replica's.
        """
        of_replica = jax.random.fold_in(key, replica)
        told = self._told(key, round_index)._replace(turn=replica)
        message, sender = self.link.encode(of_replica, flat(tree), sender, told)
        return packed(message, self.layout(tree)), sender

    def receive(
        self,
        key: jax.Array,
        receivers: Any,
        round_index: jax.Array | int,
        payloads: jax.Array,
        tree: Any,
    ) -> tuple[Any, Any]:
        """The second half of `apply`: (mean, receivers).

        Args:
            key, receivers, round_index: as `send` and the state have them.
            payloads: of all replicas, u8[R, rows, 128].
            tree: of which the shapes and dtypes alone are wanted.
        """
        sent, heard = self.layout(tree), self._told(key, round_index)

        def add(total, one):
            replica, payload, memory = one
            of_replica = jax.random.fold_in(key, replica)
            message = unpacked(payload, sent)
            told = heard._replace(turn=replica)
            x_hat, memory = self.link.decode(of_replica, message, memory, told)
            return total + x_hat, memory

        each = jnp.arange(self.replicas), payloads, receivers
        # Of a payload, to differ along further axes of the mesh wherever payloads do.
        nothing = jnp.zeros(size(tree)) + (payloads[0, 0, 0] & 0)
        total, receivers = lax.scan(add, nothing, each)
        return like(total / self.replicas, tree), receivers

    def _told(self, key: jax.Array, round_index: jax.Array | int) -> Broadcast:
        """What all replicas are told: their own keys are those of numbers below R."""
        return Broadcast(round_index, shared=jax.random.fold_in(key, self.replicas))


def compressed_mean(
    link: Compressor | Quantizer, axis: Axis | None, replicas: int
) -> CompressedMean:
    """The mean over an axis of a mesh of what a link makes of each replica's tree.

        mean = 1/R sum_r x_hat_r,   x_hat_r = decode(encode(x_r)),

    in f32 and summed in the order of the replicas, so that all of them end with the same
    bits. One all-gather of messages' bytes, each ceil(bits / 8) filled up to a multiple of
    128, is all that `apply` exchanges:

        mean = compressed_mean(error_feedback(sign()), "data", mesh.shape["data"])
        state = mean.init(params)
        specs = state_specs(state, "data")

        @partial(jax.shard_map, mesh=mesh, in_specs=(P(), specs, P(), P("data")),
                 out_specs=(P(), specs))
        def step(key, state, params, batch):
            mine = jax.lax.pcast(params, "data", to="varying")
            gradient = jax.grad(loss)(mine, batch)
            gradient, state, bits = mean.apply(key, state, gradient)
            ...

    The tree is one vector f32[d] to the link, its leaves one after another in the order of
    `jax.tree.leaves`; `segmented(quantizer, sizes)` gives each tensor a range of its own.
    What is not finite in one tree is so in the mean, as in a mean of floats, and may stay
    in the memory of the link.

    Args:
        link: a `Compressor`, or a `Quantizer` for `direct` of it; TypeError otherwise.
            ValueError if it may be silent (`lazy`, `clag`) or, by `init`, if its messages
            have lengths of their own (`one_of`, `warm_up`, `marina`, `entropy_coded`):
            what is gathered has one shape, so that silence, or what is shorter than the
            longest, would cross whole.
        axis: a name, or several, of a mesh; None means the only replica there is, for
            which nothing is exchanged and no axis need be there. ValueError otherwise.
        replicas: R, how many devices lie along the axis, 1 or more, and 1 without an axis;
            ValueError otherwise.
    """
    link = direct(link) if isinstance(link, Quantizer) else link
    require_arguments(link, axis, replicas)
    return CompressedMean(link, axis, replicas)
