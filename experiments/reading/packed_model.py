"""A trained low-bit model as one npz file: every weight at its true width.

The file holds a JSON header (`header`) and one array for each parameter tensor: f32, or
the bits of W-bit codes one after another, least significant first, in bytes.
"""

import json
import pathlib
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from ml_collections import ConfigDict

from flq_jax.models import layer_costs
from flq_jax.models.integers import weight_codes
from flq_jax.quantizers.straight_through import FULL_PRECISION

from ..assembly import build
from ..process.whole_files import replacing

FORMAT = "flq_jax packed model 1"
PLATFORMS = ("cpu", "cuda", "tpu")


def save(
    path: pathlib.Path,
    config: ConfigDict,
    params: Any,
    num_classes: int,
    image: tuple[int, ...],
) -> dict[int, int]:
    """Writes the model, rounded to its widths; a file of that name is replaced at the end.

    Args:
        path: of the file.
        config: `config.model` of the run.
        params: its parameters, as the clients hear them.
        num_classes: of its data.
        image: shape of one of its inputs.

    Returns:
        How many parameters are stored at each width; the arrays hold the sum of
        width x count bits, each array rounded up to a byte.
    """
    model = build.classifier(config, num_classes)
    layers = {cost.name: cost.bits.weights for cost in layer_costs(model, image)}
    arrays, tensors, counts = {}, {}, {}
    for name, value in flatten_dict(params, sep="/").items():
        layer, _, tensor = name.rpartition("/")
        bits = layers[layer] if tensor == "kernel" else FULL_PRECISION
        tensors[name] = {"bits": bits, "shape": list(value.shape)}
        counts[bits] = counts.get(bits, 0) + value.size
        if bits == FULL_PRECISION:
            arrays[name] = np.asarray(value, np.float32)
            continue
        codes, unit = weight_codes(value, bits, rescale=True)
        tensors[name]["range"] = float(unit * (2**bits - 1))
        bit_rows = np.unpackbits(
            np.asarray(codes.codes).reshape(-1, 1),
            axis=1,
            count=bits,
            bitorder="little",
        )
        arrays[name] = np.packbits(bit_rows, bitorder="little")
    header = {
        "format": FORMAT,
        "model": config.to_dict(),
        "num_classes": num_classes,
        "image": list(image),
        "tensors": tensors,
    }
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with replacing(path) as file:
        np.savez(file, header=text, **arrays)
    return counts


def load(path: pathlib.Path) -> tuple[nn.Module, Any, tuple[int, ...]]:
    """(model, params, shape of an image) of a file, to compute on packed integers.

    Kernels come back as reals that round to the very codes that were stored,
    w = atanh(T v / n) for the value v in -n..n, and w = T v for one bit.

    Raises:
        ValueError: if the file is of another format.
    """
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    header = json.loads(arrays.get("header", np.zeros(0, np.uint8)).tobytes() or b"{}")
    if header.get("format") != FORMAT:
        raise ValueError(f"{path}: must be a {FORMAT!r}, got {header.get('format')!r}")
    params = {
        name: _restored(arrays[name], **tensor)
        for name, tensor in header["tensors"].items()
    }
    model = build.classifier(ConfigDict(header["model"]), header["num_classes"])
    image = tuple(header["image"])
    return model.clone(packed=True), unflatten_dict(params, sep="/"), image


def stablehlo(model: nn.Module, params: Any, shape: tuple[int, ...]) -> bytes:
    """The program f32[shape] -> logits as portable StableHLO, parameters included."""
    images = jax.ShapeDtypeStruct(shape, jnp.float32)
    program = jax.jit(lambda x: model.apply({"params": params}, x))
    return jax.export.export(program, platforms=PLATFORMS)(
        images
    ).mlir_module_serialized


def _restored(array: np.ndarray, bits: int, shape: list[int], **scale) -> jax.Array:
    if bits == FULL_PRECISION:
        return jnp.asarray(array)
    steps, size = 2**bits - 1, int(np.prod(shape))
    bit_rows = np.unpackbits(array, count=bits * size, bitorder="little")
    codes = np.packbits(bit_rows.reshape(size, bits), axis=1, bitorder="little")
    values = (2.0 * codes.reshape(shape) - steps) / steps * scale["range"]
    return jnp.asarray(values if bits == 1 else np.arctanh(values), jnp.float32)
