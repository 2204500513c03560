"""What one client computes on its own examples, before anything is compressed."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from flq_jax.arguments import (
    require_callable,
    require_instance,
    require_integer,
    require_takes,
)
from flq_jax.data.clients import ClientData, scaled
from flq_jax.quantizers import draws

Loss = Callable[..., jax.Array]
Draw = Callable[..., "Batch"]


def _nothing(params: Any) -> tuple:
    """The memory of a client that has none."""
    del params
    return ()


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
    """

    update: Callable[..., tuple[jax.Array, optax.Updates, Any]]
    init: Callable[[Any], Any] = _nothing
    batch: int = 0
    steps: int = 0
    epochs: int = 0

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


def drawn(key: jax.Array, shard: ClientData, batch: int) -> Batch:
    """`batch` of a client's examples, uniformly and with replacement."""
    rows = below(key, shard.sizes, (batch,))
    return taken(shard, rows, jnp.broadcast_to(shard.sizes > 0, (batch,)))


def one_of_fixed(key: jax.Array, shard: ClientData, batch: int) -> Batch:
    """One of the batches that a client's examples, in their order, are cut into.

    All are as likely; the last may be short. A client that draws the same one twice has
    no news of it but the model's own movement, which a lazy rule sees (LAQ's released
    code: 12 batches of 500 a worker). A batch larger than the shard is all of it.
    """
    batch = min(batch, shard.labels.shape[0])
    rows = below(key, -(-shard.sizes // batch), ()) * batch + jnp.arange(batch)
    return taken(shard, rows, rows < shard.sizes)


def gradient(loss: Loss, batch: int = 0, draw: Draw = drawn) -> LocalUpdate:
    """One gradient of the local loss f_m at the model that was broadcast.

    Args:
        loss: (params, inputs, labels, weights, key) -> f32[], see `Batch`.
        batch: b examples; 0 takes all that the client has. ValueError otherwise.
        draw: (key, shard, b) -> `Batch`: `drawn` or `one_of_fixed`.

    Returns:
        The loss is f_m(params), the update its gradient.
    """
    require_callable("gradient", "loss", loss)
    require_integer("gradient", "batch", batch, 0)
    require_takes("gradient", "draw", draw, "key", "shard", "batch")

    def update(key, params, shard):
        key_batch, key_noise = draws.split(key)
        examples = draw(key_batch, shard, batch) if batch else whole(shard)
        return jax.value_and_grad(loss)(params, *examples, key_noise)

    return stateless(update, batch=batch, steps=1)


def local_epochs(
    loss: Loss, optimizer: optax.GradientTransformation, batch: int, epochs: int
) -> LocalUpdate:
    """Epochs of minibatches, then the model delta (Feng, Ning et al. 2023, Eqs. 3-4).

    Each epoch visits each of the client's examples once, in an order of its own; the
    last batch of an epoch may be short. A client with fewer examples than another
    takes fewer steps, and one without examples takes none.

    Args:
        loss: (params, inputs, labels, weights, key) -> f32[], see `Batch`.
        optimizer: the client optimizer; its state starts anew each round.
        batch: examples per step, 1 or more; ValueError otherwise. One that is larger
            than the client's share takes all of it, and costs no more.
        epochs: passes over the client's examples, 1 or more; ValueError otherwise.

    Returns:
        The loss is the mean over the steps, the update params - local params. The sign
        is a gradient's: a server that steps by 1 against the mean of the updates
        averages the clients' models.
    """
    require_callable("local_epochs", "loss", loss)
    require_instance(
        "local_epochs", "optimizer", optimizer, optax.GradientTransformation
    )
    require_integer("local_epochs", "batch", batch, 1)
    require_integer("local_epochs", "epochs", epochs, 1)

    def update(key, params, shard):
        capacity = shard.labels.shape[0]
        size = min(batch, capacity)
        steps = -(-capacity // size)

        def epoch(carry, number):
            key_order, key_noise = jax.random.split(jax.random.fold_in(key, number))
            rows, present = ordered(key_order, shard, steps, size)

            def step(carry, index):
                local, opt_state, total = carry
                examples = taken(shard, rows[index], present[index])
                noise = jax.random.fold_in(key_noise, index)
                value, grads = jax.value_and_grad(loss)(local, *examples, noise)
                updates, opt_state = optimizer.update(grads, opt_state, local)
                new = optax.apply_updates(local, updates), opt_state, total + value
                active = jnp.any(present[index])
                return jax.tree.map(partial(jnp.where, active), new, carry), None

            return jax.lax.scan(step, carry, jnp.arange(steps))

        start = params, optimizer.init(params), jnp.float32(0.0)
        (local, _, total), _ = jax.lax.scan(epoch, start, jnp.arange(epochs))
        num_steps = jnp.maximum(epochs * -(-shard.sizes // size), 1)
        return total / num_steps, jax.tree.map(jnp.subtract, params, local)

    return stateless(update, batch=batch, epochs=epochs)


def taken(shard: ClientData, rows: jax.Array, present: jax.Array) -> Batch:
    """The examples `rows`, i32[b], of which only the `present`, bool[b], count.

    The others are blank.
    """
    there = present.astype(jnp.float32)
    weights = there / jnp.maximum(jnp.sum(there), 1.0)
    # Rows gathered as flat vectors: XLA copies them twice as fast as images. What is
    # not there is blanked in that shape, too: without it XLA would scale the bytes for
    # a layer's product, and once more for the gradient of its weights.
    n, *shape = shard.inputs.shape
    inputs = scaled(shard.inputs.reshape(n, -1)[rows])
    inputs = inputs * there[:, None].astype(inputs.dtype)
    return Batch(inputs.reshape(-1, *shape), shard.labels[rows], weights)


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


def whole(shard: ClientData) -> Batch:
    """All of a client's examples."""
    present = jnp.arange(shard.labels.shape[0]) < shard.sizes
    weights = present.astype(jnp.float32) / jnp.maximum(shard.sizes, 1)
    return Batch(scaled(shard.inputs), shard.labels, weights)


def ordered(
    key: jax.Array, shard: ClientData, steps: int, batch: int
) -> tuple[jax.Array, jax.Array]:
    """A random order of a client's examples, cut into batches.

    Returns:
        (rows i32[steps, batch], present bool[steps, batch]); each of the client's
        examples stands in it exactly once, in the first ceil(size / batch) rows.
    """
    capacity = shard.labels.shape[0]
    dice = draws.uniform(key, (capacity,))
    absent = jnp.arange(capacity) >= shard.sizes
    order = jnp.argsort(jnp.where(absent, 2.0, dice))
    order = jnp.pad(order, (0, steps * batch - capacity))
    present = jnp.arange(steps * batch) < shard.sizes
    return order.reshape(steps, batch), present.reshape(steps, batch)
