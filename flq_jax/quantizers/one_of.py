"""A width for each message: one of several quantizers, told by the message's length."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from flq_jax.arguments import require_instance
from flq_jax.quantizers.base import Layout, Message, Quantizer


def one_of(options: Sequence[Quantizer]) -> Quantizer:
    """Each message by the quantizer that its sender was told to use.

    `at(round_index, choice)` is the pair that encodes by option number `choice`, i32[],
    so that a weak link may carry one bit a coordinate and a strong one floats:

        one_of((sign(), uniform(2), uniform(4), uniform(8), identity())).

    The decoder is told nothing: a message's length says which option made it.

    Args:
        options: two or more of type `Quantizer`, else TypeError, with one code a coordinate, without schedules and
            options of their own; ValueError otherwise.

    Returns:
        A `Quantizer` on f32[d]. A message has the codes, sides and length of its
        option; codes are u32 if any option needs that, and sides are padded by zeros,
        which are not sent. Without a choice the last option is taken. `layout` raises
        ValueError for a d at which two options are equally long.
    """
    if not isinstance(options, list | tuple) or isinstance(options, Quantizer):
        raise TypeError(
            "one_of: options must be a sequence of quantizers, got a "
            f"{type(options).__name__}"
        )
    options = tuple(options)
    for number, option in enumerate(options):
        require_instance("one_of", f"options[{number}]", option, Quantizer)
    if len(options) < 2:
        raise ValueError(f"one_of: needs two options or more, got {len(options)}")
    if any(o.schedule is not None or o.choose is not None for o in options):
        raise ValueError("one_of: an option must have no schedule or choice of its own")

    def layout(d):
        parts = tuple(option.layout(d) for option in options)
        if any(part.coded for part in parts):
            raise ValueError(
                "one_of: options must not be entropy-coded: their lengths tell"
            )
        if any(part.num_codes != d for part in parts):
            codes = [part.num_codes for part in parts]
            raise ValueError(f"one_of: options must have {d} codes each, got {codes=}")
        whole = Layout(
            f"one_of({'|'.join(part.scheme for part in parts)})",
            ((max(part.widest for part in parts), d),),
            max(part.num_sides for part in parts),
            options=parts,
        )
        if len({0, *whole.lengths}) <= len(parts):  # 0 is silence
            lengths, unit = [part.num_bits for part in parts], whole.unit
            raise ValueError(
                f"one_of: options must differ in length, in units of {unit} bits, and "
                f"none be empty, got {lengths=}"
            )
        return whole

    def decode(key, message):
        whole = layout(message.codes.size)
        each = [
            _decoded(option, part, jax.random.clone(key), message)
            for option, part in zip(options, whole.options, strict=True)
        ]
        return _pick(jnp.argmax(message.num_bits == jnp.asarray(whole.lengths)), each)

    def choose(round_index, choice):
        del round_index

        def encode(key, x):
            whole = layout(x.size)
            # Of the messages that share the key one alone is sent.
            each = [
                _encoded(option, whole, length, jax.random.clone(key), x)
                for option, length in zip(options, whole.lengths, strict=True)
            ]
            return _pick(choice, each)

        def overload(x):
            return _pick(choice, [option.overload(x) for option in options])

        return Quantizer(encode, decode, layout, overload)

    return choose(0, len(options) - 1)._replace(choose=choose)


def _pick(index: jax.Array, trees: Sequence[Any]) -> Any:
    """One of the trees; vmap would make a `switch` compute them all as well."""
    index = jnp.clip(index, 0, len(trees) - 1).astype(jnp.int32)
    return jax.tree.map(lambda *leaves: jax.lax.select_n(index, *leaves), *trees)


def _encoded(
    option: Quantizer, whole: Layout, length: int, key: jax.Array, x: jax.Array
) -> Message:
    """The option's message in the common shape, and counted in the common unit."""
    message = option.encode(key, x)
    missing = whole.num_sides - message.side.size
    return Message(
        message.codes.astype(whole.code_dtype),
        jnp.pad(message.side, (0, missing)),
        jnp.int32(length),
    )


def _decoded(
    option: Quantizer, layout: Layout, key: jax.Array, message: Message
) -> jax.Array:
    codes = message.codes.astype(layout.code_dtype)
    return option.decode(
        key, Message(codes, message.side[: layout.num_sides], message.num_bits)
    )
