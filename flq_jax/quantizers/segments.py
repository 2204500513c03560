"""A quantizer for each tensor of a model."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from flq_jax.arguments import require_instance, require_integers
from flq_jax.quantizers.base import (
    Layout,
    Message,
    Quantizer,
    require_measured,
    require_one_length,
)


def segmented(quantizer: Quantizer, sizes: Sequence[int]) -> Quantizer:
    """Applies `quantizer` to each segment of x: one range per tensor of a model.

    The segments' codes and sides follow one another in the message.

    Args:
        quantizer: a `Quantizer`, else TypeError; applied to f32[sizes[i]], each with a
            key of its own.
        sizes: lengths of the segments, each 1 or more; ValueError otherwise. They must
            add up to the length of x.

    Raises:
        ValueError: also for a `one_of`, whose segments' lengths are not sent, and for a
            prescribed radius, which is that of all of x.
    """
    require_instance("segmented", "quantizer", quantizer, Quantizer)
    require_integers("segmented", "sizes", sizes)
    sizes = tuple(int(size) for size in sizes)
    if quantizer.choose is not None:
        raise ValueError("segmented: takes no choice; choose among segmented ones")
    require_measured("segmented", quantizer)
    require_one_length("segmented", quantizer, sizes[0])
    layouts = [quantizer.layout(size) for size in sizes]
    total = Layout(
        f"{layouts[0].scheme}/{','.join(map(str, sizes))}",
        tuple(run for layout in layouts for run in layout.runs),
        sum(layout.num_sides for layout in layouts),
        layouts[0].floats,
    )

    def layout(d):
        if d != sum(sizes):
            raise ValueError(f"segmented: {sizes=} must add up to the length, got {d=}")
        return total

    def encode(key, x):
        layout(x.size)
        keys = jax.random.split(key, len(sizes))
        parts = [quantizer.encode(k, part) for k, part in zip(keys, _split(x, sizes))]
        return Message(
            jnp.concatenate([part.codes for part in parts]),
            jnp.concatenate([part.side for part in parts]),
            jnp.int32(total.length),
        )

    def decode(key, message):
        keys = jax.random.split(key, len(sizes))
        codes = _split(message.codes, [layout.num_codes for layout in layouts])
        sides = _split(message.side, [layout.num_sides for layout in layouts])
        return jnp.concatenate(
            [
                quantizer.decode(k, Message(c, s, message.num_bits))
                for k, c, s in zip(keys, codes, sides)
            ]
        )

    def overload(x):
        parts = [quantizer.overload(part) for part in _split(x, sizes)]
        return jnp.any(jnp.stack(parts))

    return Quantizer(encode, decode, layout, overload)


def _split(x: jax.Array, sizes: Sequence[int]) -> list[jax.Array]:
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [x[end - size : end] for end, size in zip(ends, sizes)]
