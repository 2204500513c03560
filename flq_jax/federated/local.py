"""What one client computes on its own examples, before anything is compressed."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from flq_jax.arguments import (
    require_callable,
    require_integer,
    require_takes,
)
from flq_jax.data.clients import scaled
from flq_jax.data.flat import Shards
from flq_jax.federated.shuffling import shuffled
from flq_jax.quantizers import draws

Loss = Callable[..., jax.Array]
Draw = Callable[..., "Batch"]


def _nothing(params: Any) -> tuple:
    """The memory of a client that has none."""
    del params
    return ()


def _same(part: Any) -> Any:
    """What the server does where clients ask nothing of it."""
    return part


class LocalUpdate(NamedTuple):
    """What a client computes in a round, and what it says of its own work.

    It takes `steps` gradients of `batch` examples that it draws, or goes `epochs` times
    through all of its examples in batches; a `batch` of 0 is all of them at once.

    Attributes:
        update: (key, params, shard, memory) -> (loss f32[], update, memory), for one
            client: its mean local loss, what the server steps against, shaped as the
            params, and what it remembers. A client whose message does not reach the
            server, lost, silent or not finite, keeps the memory that it had.
        init: params -> memory before the first round, a pytree of arrays; () if it has
            none.
        batch: b, examples of one gradient, 0 or more.
        steps: gradients of drawn batches in a round, 0 or more.
        epochs: passes through all examples in a round, 0 or more.
        settle: (memory, heard) -> memory, of what `update` gave and what the server made
            of this client's message, shaped as the update: for a memory that must add up
            with the server's although messages are rounded. None if it need not.
        normaliser: sizes i32[m] -> f32[m], 1 or more: what the server divides updates by
            before their mean, see `fednova`. None for 1.
        broadcast: the model's params -> what the server holds and broadcasts, in which
            the params of `update` are; the params themselves unless the algorithm has
            more to say.
        model: what is broadcast -> the model's params.
        server: the optimizer of the model's f32[d] -> that of what is broadcast. It is
            told `heard`, see `serve`.
    """

    update: Callable[..., tuple[jax.Array, optax.Updates, Any]]
    init: Callable[[Any], Any] = _nothing
    batch: int = 0
    steps: int = 0
    epochs: int = 0
    settle: Callable[[Any, Any], Any] | None = None
    normaliser: Callable[[jax.Array | np.ndarray], jax.Array] | None = None
    broadcast: Callable[[Any], Any] = _same
    model: Callable[[Any], Any] = _same
    server: Callable[[optax.GradientTransformation], optax.GradientTransformation] = (
        _same
    )

    @property
    def full_gradient(self) -> bool:
        """Whether it is one gradient of all that the client has."""
        return self.batch == 0 and self.steps == 1 and self.epochs == 0

    @property
    def reads_all(self) -> bool:
        """Whether it goes through all rows of a shard, the padding among them."""
        return self.batch == 0 or self.epochs > 0

    @property
    def own_model(self) -> bool:
        """Whether a client has a model of its own while it works."""
        return self.epochs > 0 or self.steps > 1

    def examples(self, sizes: jax.Array) -> jax.Array:
        """Of how many examples it takes gradients in a round, f32[m], for sizes i32[m].

        All of them, in many epochs, may be more than i32 counts.
        """
        sizes = sizes.astype(jnp.float32)
        drawn = sizes if self.batch == 0 else jnp.full_like(sizes, float(self.batch))
        return self.epochs * sizes + self.steps * drawn


def stateless(
    update: Callable[..., tuple[jax.Array, optax.Updates]],
    *,
    batch: int = 0,
    steps: int = 0,
    epochs: int = 0,
) -> LocalUpdate:
    """The `LocalUpdate` of a client without memory: update(key, params, shard).

    Args:
        update: (key, params, shard) -> (loss f32[], update).
        batch, steps, epochs: see `LocalUpdate`.
    """

    require_callable("stateless", "update", update)
    numbers = {"batch": batch, "steps": steps, "epochs": epochs}
    for name, number in numbers.items():
        require_integer("stateless", name, number, 0)

    def remembering(key, params, shard, memory):
        return *update(key, params, shard), memory

    return LocalUpdate(remembering, batch=batch, steps=steps, epochs=epochs)


class Batch(NamedTuple):
    """Examples to take a gradient of.

    Attributes:
        inputs: floats or i32[b, ...], see `scaled`.
        labels: [b, ...], see `ClientData`.
        weights: f32[b]; they add up to 1, or are all 0 where there is no example.
    """

    inputs: jax.Array | np.ndarray
    labels: jax.Array | np.ndarray
    weights: jax.Array


def drawn(key: jax.Array, shard: Shards, batch: int) -> Batch:
    """`batch` of a client's examples, uniformly and with replacement."""
    rows = below(key, shard.sizes, (batch,))
    return taken(shard, rows, jnp.broadcast_to(shard.sizes > 0, (batch,)))


def one_of_fixed(key: jax.Array, shard: Shards, batch: int) -> Batch:
    """One of the batches that a client's examples, in their order, are cut into.

    All are as likely; the last may be short. A client that draws the same one twice has
    no news of it but the model's own movement, which a lazy rule sees (LAQ's released
    code: 12 batches of 500 a worker). A batch larger than the shard is all of it.
    """
    batch = min(batch, shard.capacity)
    rows = below(key, -(-shard.sizes // batch), ()) * batch + jnp.arange(batch)
    return taken(shard, rows, rows < shard.sizes)


def gradient(loss: Loss, batch: int = 0, draw: Draw = drawn) -> LocalUpdate:
    """One gradient of the local loss f_m at the model that was broadcast.

    Args:
        loss: (params, inputs, labels, weights, key) -> f32[], see `Batch`; TypeError
            unless it can be called.
        batch: b examples; 0 takes all that the client has. ValueError if negative.
        draw: (key, shard, b) -> `Batch`: `drawn` or `one_of_fixed`; ValueError with
            batch 0, which draws nothing.

    Returns:
        The loss is f_m(params), the update its gradient.
    """
    require_callable("gradient", "loss", loss)
    require_integer("gradient", "batch", batch, 0)
    require_takes("gradient", "draw", draw, "key", "shard", "batch")
    if not batch and draw is not drawn:
        raise ValueError(
            "gradient: batch must be 1 or more where batches are drawn by another draw "
            f"than drawn, got {batch=}"
        )

    def update(key, params, shard):
        key_batch, key_noise = draws.split(key)
        examples = draw(key_batch, shard, batch) if batch else whole(shard)
        return jax.value_and_grad(loss)(params, *examples, key_noise)

    return stateless(update, batch=batch, steps=1)


def taken(shard: Shards, rows: jax.Array, present: jax.Array) -> Batch:
    """The examples `rows`, i32[b], of which only the `present`, bool[b], count.

    The others are blank.
    """
    there = present.astype(jnp.float32)
    weights = there / jnp.maximum(jnp.sum(there), 1.0)
    # What is not there is blanked as the flat vectors that are gathered: otherwise XLA
    # would scale the bytes for a layer's product, and once more for the gradient of its
    # weights.
    inputs, labels = shard.at(rows)
    inputs = scaled(inputs)
    inputs = inputs * there[:, None].astype(inputs.dtype)
    return Batch(inputs.reshape(-1, *shard.input_shape), labels, weights)


def below(
    key: jax.Array, count: jax.Array | np.ndarray, shape: tuple[int, ...]
) -> jax.Array:
    """Uniform numbers i32[shape] in 0..count-1; zeros where there is nothing to count."""
    bits = draws.bits(key, shape)
    return scaled_down(bits, jnp.maximum(count, 1)).astype(jnp.int32)


def scaled_down(bits: jax.Array, count: jax.Array) -> jax.Array:
    """floor(bits count / 2^32), u32[...] in 0..count-1, of u32[...] (Lemire 2019).

    Of uniform bits it makes every value with probability 1 / count, to within 2^-32:
    one random word a number, where an unbiased draw takes two and a division. The
    64-bit product is put together from 16-bit halves.

    Args:
        bits: u32[...].
        count: integers[...], 1 to 2^31 - 1.
    """
    count = count.astype(jnp.uint32)
    low, high = bits & 0xFFFF, bits >> 16
    count_low, count_high = count & 0xFFFF, count >> 16
    middle = high * count_low + (low * count_low >> 16)
    carry = low * count_high + (middle & 0xFFFF)
    return high * count_high + (middle >> 16) + (carry >> 16)


def whole(shard: Shards) -> Batch:
    """All of a client's examples."""
    present = jnp.arange(shard.capacity) < shard.sizes
    weights = present.astype(jnp.float32) / jnp.maximum(shard.sizes, 1)
    return Batch(scaled(shard.inputs), shard.labels, weights)


def ordered(
    key: jax.Array, shard: Shards, steps: int, batch: int
) -> tuple[jax.Array, jax.Array]:
    """A random order of a client's examples, cut into batches.

    Returns:
        (rows i32[steps, batch], present bool[steps, batch]); each of the client's
        examples stands in it exactly once, in the first ceil(size / batch) rows.
    """
    capacity = shard.capacity
    order = shuffled(key, shard.sizes, capacity)
    order = jnp.pad(order, (0, steps * batch - capacity))
    present = jnp.arange(steps * batch) < shard.sizes
    return order.reshape(steps, batch), present.reshape(steps, batch)
