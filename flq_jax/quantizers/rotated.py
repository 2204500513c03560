"""Any quantizer in a randomly rotated space."""

import jax
import jax.numpy as jnp

from flq_jax.arguments import require_instance
from flq_jax.quantizers.base import Message, Quantizer, never, require_one_length
from flq_jax.quantizers.folding import equal_widths, fold, folded_layout, unfold
from flq_jax.quantizers.rotation import padded_size, rotate, unrotate


def rotated(quantizer: Quantizer) -> Quantizer:
    """Quantizes R x instead of x, x_hat = R^-1 Q(R x), with R drawn from the key.

    `rotated(sign())` is DRIVE with the scale of least error.

    Args:
        quantizer: a `Quantizer`, else TypeError, applied to f32[n], n the next power of two, with codes of one width w
            each, 16 at most, and without overload, schedule or choice, which would have to
            be told of R x; ValueError otherwise.

    Returns:
        A `Quantizer` on f32[d] whose messages are those about f32[n], folded; d codes.
    """
    require_instance("rotated", "quantizer", quantizer, Quantizer)
    require_one_length("rotated", quantizer, 2)
    inner = quantizer.layout(2)
    width = inner.widest
    if len(inner.runs) > 1 or width > 16:
        raise ValueError(
            "rotated: needs a quantizer with codes of one width, 16 bits at most, got "
            f"{inner.scheme}"
        )
    fits = quantizer.overload is never
    if not fits or quantizer.schedule is not None or quantizer.choose is not None:
        raise ValueError(
            "rotated: takes no quantizer with an overload, a schedule or a choice, for "
            f"none is told of the rotated vector, got {inner.scheme}"
        )

    def layout(d):
        n = padded_size(d)
        about = quantizer.layout(n)
        if about.runs != ((width, n),):
            raise ValueError(f"rotated: needs a code an entry, got {about.runs=}")
        scheme = f"rotated-{about.scheme}"
        return folded_layout(scheme, equal_widths(width, d), d, about.num_sides)

    def encode(key, x):
        key_rotation, key = jax.random.split(key)
        message = quantizer.encode(key, rotate(key_rotation, x))
        codes = fold(message.codes, equal_widths(width, x.size), x.size)
        return Message(codes, message.side, jnp.int32(layout(x.size).length))

    def decode(key, message):
        d = message.codes.size
        key_rotation, key = jax.random.split(key)
        codes = unfold(message.codes, equal_widths(width, d))
        codes = codes.astype(jnp.uint8 if width <= 8 else jnp.uint32)
        z = quantizer.decode(key, message._replace(codes=codes))
        return unrotate(key_rotation, z, d)

    return Quantizer(encode, decode, layout)
