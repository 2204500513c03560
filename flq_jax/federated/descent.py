"""A client's own steps: which batches they take, and where they end."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from flq_jax.arguments import require_callable, require_instance, require_integer
from flq_jax.data.flat import Shards
from flq_jax.federated.local import Batch, LocalUpdate, Loss, drawn, ordered, taken
from flq_jax.federated.repeated import repeated
from flq_jax.quantizers import draws


class Batches(NamedTuple):
    """Which batches a client takes in a round, one step on each.

    `epochs` passes through its own examples, each visited once a pass in an order of its
    own, the last batch of a pass maybe short; or `steps` batches drawn with replacement.
    A client takes the steps that its own examples ask for, whatever another's do.

    Attributes:
        batch: examples of a step, 1 or more.
        epochs: 0 where steps are counted.
        steps: 0 where epochs are.
    """

    batch: int
    epochs: int = 0
    steps: int = 0

    def steps_of(self, sizes: jax.Array | np.ndarray) -> jax.Array:
        """How many steps clients of so many examples take, i32[...]."""
        of_epochs = self.epochs * -(-sizes // self.batch)
        return jnp.where(sizes > 0, of_epochs + self.steps, 0)

    def fold(
        self,
        step: Callable[[Any, Batch, jax.Array], Any],
        carry: Any,
        key: jax.Array,
        shard: Shards,
    ) -> Any:
        """What step(carry, batch, key) makes of the carry, batch by batch."""
        if self.epochs:
            return _over_epochs(step, carry, key, shard, self.batch, self.epochs)

        def one(number, carry):
            key_batch, key_noise = draws.split(jax.random.fold_in(key, number))
            return step(carry, drawn(key_batch, shard, self.batch), key_noise)

        return repeated(self.steps_of(shard.sizes), self.steps, one, carry)


def batches(
    where: str, loss: Any, optimizer: Any, batch: int, epochs: int, steps: int
) -> Batches:
    """The `Batches` of a constructor's arguments.

    Raises:
        ValueError: batch is not an integer of 1 or more, or not one of epochs and steps
            is, and the other 0.
        TypeError: loss cannot be called, or optimizer is none of optax.
    """
    require_callable(where, "loss", loss)
    require_instance(where, "optimizer", optimizer, optax.GradientTransformation)
    require_integer(where, "batch", batch, 1)
    require_integer(where, "epochs", epochs, 0)
    require_integer(where, "steps", steps, 0)
    if bool(epochs) == bool(steps):
        raise ValueError(
            f"{where}: one of epochs and steps must be 1 or more, and the other 0, got "
            f"{epochs=} {steps=}"
        )
    return Batches(batch, epochs, steps)


def _over_epochs(
    step: Callable[[Any, Batch, jax.Array], Any],
    carry: Any,
    key: jax.Array,
    shard: Shards,
    batch: int,
    epochs: int,
) -> Any:
    capacity = shard.capacity
    size = min(batch, capacity)
    own = -(-shard.sizes // size)

    def epoch(number, carry):
        key_order, key_noise = jax.random.split(jax.random.fold_in(key, number))
        rows, present = ordered(key_order, shard, -(-capacity // size), size)

        def one(index, carry):
            examples = taken(shard, rows[index], present[index])
            return step(carry, examples, jax.random.fold_in(key_noise, index))

        return repeated(own, -(-capacity // size), one, carry)

    return jax.lax.fori_loop(0, epochs, epoch, carry)


class Descent(NamedTuple):
    """Where a client's steps ended.

    Attributes:
        moved: params - local params: a gradient's sign.
        loss: mean over the steps, f32[]; 0 without steps.
        state: the optimizer's.
    """

    moved: Any
    loss: jax.Array
    state: Any


def descended(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    work: Batches,
    key: jax.Array,
    params: Any,
    shard: Shards,
) -> Descent:
    """Steps of the optimizer from the params, each on a batch of the client's examples.

    Args:
        loss: (params, inputs, labels, weights, key) -> f32[], see `Batch`.
        optimizer: of the params; its state starts anew.
        work: the batches.
        key: of this client and round.
        params: as they were broadcast.
        shard: the client's examples.
    """

    def step(carry, examples, noise):
        local, state, total = carry
        value, grads = jax.value_and_grad(loss)(local, *examples, noise)
        updates, state = optimizer.update(grads, state, local)
        return optax.apply_updates(local, updates), state, total + value

    start = params, optimizer.init(params), jnp.float32(0.0)
    local, state, total = work.fold(step, start, key, shard)
    steps = jnp.maximum(work.steps_of(shard.sizes), 1)
    return Descent(jax.tree.map(jnp.subtract, params, local), total / steps, state)


def averaging(
    loss: Loss, optimizer: optax.GradientTransformation, work: Batches
) -> LocalUpdate:
    """The `LocalUpdate` that sends what these steps have moved."""

    def update(key, params, shard, memory):
        found = descended(loss, optimizer, work, key, params, shard)
        return found.loss, found.moved, memory

    return LocalUpdate(update, **work._asdict())
