"""Examples changed at random before a client learns from them."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from flq_jax.arguments import require_callable, require_flag, require_integer
from flq_jax.federated.local import Loss
from flq_jax.quantizers import draws

# (key, inputs [b, ...]) -> inputs of the same shape
Transform = Callable[[jax.Array, jax.Array], jax.Array]


def augmented(loss: Loss, transform: Transform) -> Loss:
    """The loss of transformed inputs, drawn anew for each batch of each round.

    It is given to a client, whose key is the round's, as in
    `local_epochs(augmented(loss, crop_and_flip()), ...)`; what the server reports is the
    loss itself, of the examples as they are.

    Args:
        loss: (params, inputs, labels, weights, key) -> f32[], see `Batch`.
        transform: (key, inputs f32[b, ...]) -> f32[b, ...], such as `crop_and_flip`.

    Returns:
        A loss of the same arguments. Without a key nothing is transformed.

    Raises:
        TypeError: one of the two cannot be called.
    """
    require_callable("augmented", "loss", loss)
    require_callable("augmented", "transform", transform)

    def changed(params, inputs, labels, weights, key=None):
        if key is None:
            return loss(params, inputs, labels, weights, None)
        key_inputs, key_noise = draws.split(key)
        return loss(params, transform(key_inputs, inputs), labels, weights, key_noise)

    return changed


def crop_and_flip(padding: int = 4, flip: bool = True) -> Transform:
    """Moves each image by up to `padding` pixels, and mirrors every other (He et al. 2016).

    An image is padded with zeros on all sides and cut out again at a place of its own:
    uniform among the (2 padding + 1)^2.

    Args:
        padding: pixels, 0 to 1,000; ValueError otherwise.
        flip: whether left and right change places, with probability 1/2.

    Returns:
        (key, f32[b, h, w] or f32[b, h, w, c]) -> the same shape; ValueError for others.
    """
    require_integer("crop_and_flip", "padding", padding, 0, 1000)
    require_flag("crop_and_flip", "flip", flip)
    places = 2 * padding + 1

    def moved(image, row, column):
        sides = [(padding, padding)] * 2 + [(0, 0)] * (image.ndim - 2)
        start = (row, column, *[0] * (image.ndim - 2))
        return jax.lax.dynamic_slice(jnp.pad(image, sides), start, image.shape)

    def transform(key, images):
        if images.ndim not in (3, 4):
            raise ValueError(
                "crop_and_flip: inputs must be images [b, h, w] or [b, h, w, c], got "
                f"{images.dtype}{[*images.shape]}"
            )
        words = draws.bits(key, (3, images.shape[0]))
        rows, columns = (words[:2] % places).astype(jnp.int32)
        found = jax.vmap(moved)(images, rows, columns)
        if not flip:
            return found
        mirrored = (words[2] >> 31).astype(bool)
        mirrored = mirrored.reshape(-1, *[1] * (images.ndim - 1))
        return jnp.where(mirrored, found[:, :, ::-1], found)

    return transform
