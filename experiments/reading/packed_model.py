"""A trained low-bit model as one npz file: every weight at its true width.

The file holds a JSON header (`header`) and one array for each parameter tensor: f32, or
the bits of W-bit codes one after another, least significant first, in bytes.
"""

import io
import json
import math
import pathlib
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from flq_jax.data.npz import read_arrays
from flq_jax.data.reading import opened, reason
from flq_jax.expressions.expression import parse
from flq_jax.models import layer_costs
from flq_jax.models.integers import weight_codes
from flq_jax.quantizers.straight_through import FULL_PRECISION

from ..assembly import composition
from ..process.whole_files import replacing

FORMAT = "flq_jax packed model 2"
PLATFORMS = ("cpu", "cuda", "tpu")


def save(
    path: pathlib.Path,
    text: str,
    model: nn.Module,
    params: Any,
    num_classes: int,
    image: tuple[int, ...],
) -> dict[int, int]:
    """Writes the model, rounded to its widths; a file of that name is replaced at the end.

    Args:
        path: of the file.
        text: the expression of the model, in its one way.
        model: what it makes.
        params: its parameters, as the clients hear them.
        num_classes: of its data.
        image: shape of one of its inputs.

    Returns:
        How many parameters are stored at each width; the arrays hold the sum of
        width x count bits, each array rounded up to a byte.
    """
    layers = {cost.name: cost.bits.weights for cost in layer_costs(model, image)}
    arrays, tensors, counts = {}, {}, {}
    for name, value in flatten_dict(params, sep="/").items():
        bits = _width(name, layers)
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
        "model": text,
        "num_classes": num_classes,
        "image": list(image),
        "tensors": tensors,
    }
    as_bytes = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with replacing(path) as file:
        np.savez(file, header=as_bytes, **arrays)
    return counts


def load(path: pathlib.Path) -> tuple[nn.Module, Any, tuple[int, ...]]:
    """(model, params, shape of an image) of a file, to compute on packed integers.

    Kernels come back as reals that round to the very codes that were stored,
    w = atanh(T v / n) for the value v in -n..n, and w = T v for one bit.

    Raises:
        OSError: the file can't be read.
        ValueError: it is damaged, or of another format. No bytes raise anything else,
            and none take more memory than the file's length can stand for.
    """
    with opened(path) as file:
        data = file.read()
    try:
        return _loaded(read_arrays(io.BytesIO(data)))
    except Exception as error:  # neither numpy nor flax name what bytes may raise
        raise ValueError(
            f"{path}: must be an intact {FORMAT!r}, got "
            f"{type(error).__name__}: {reason(error):.300}"
        ) from error


def _loaded(arrays: dict[str, np.ndarray]) -> tuple[nn.Module, Any, tuple[int, ...]]:
    text = arrays.pop("header", np.zeros(0, np.uint8)).tobytes()
    header = json.loads(text or b"{}")
    if header.get("format") != FORMAT:
        raise ValueError(f"a file of format {header.get('format')!r}")
    named = {"num_classes": header["num_classes"], "clients": 1, "seed": 0}
    model = composition.made(
        {"model": parse(header["model"])}, "model", named, from_elsewhere=True
    )
    image, tensors = tuple(header["image"]), header["tensors"]
    _require("tensors", {*tensors} == {*arrays}, [*arrays], [*tensors])
    expected = _expected(model, image)
    told = {name: (each["bits"], each["shape"]) for name, each in tensors.items()}
    _require("tensors", told == expected, expected, told)
    params = {name: _restored(arrays[name], **tensors[name]) for name in tensors}
    return model.clone(packed=True), unflatten_dict(params, sep="/"), image


def _expected(
    model: nn.Module, image: tuple[int, ...]
) -> dict[str, tuple[int, list[int]]]:
    """Width and shape of each of the model's tensors; nothing is computed."""
    example = jax.ShapeDtypeStruct((1, *image), jnp.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), example)["params"]
    layers = {cost.name: cost.bits.weights for cost in layer_costs(model, image)}
    return {
        name: (_width(name, layers), list(value.shape))
        for name, value in flatten_dict(shapes, sep="/").items()
    }


def _width(name: str, layers: dict[str, int]) -> int:
    """Bits of a tensor's entries; `layers` has those of each layer's kernel."""
    layer, _, tensor = name.rpartition("/")
    return layers[layer] if tensor == "kernel" else FULL_PRECISION


def _require(what: str, holds: bool, must: object, came: object) -> None:
    if not holds:
        raise ValueError(f"{what} {came}, which must be {must}")


def stablehlo(model: nn.Module, params: Any, shape: tuple[int, ...]) -> bytes:
    """The program f32[shape] -> logits as portable StableHLO, parameters included."""
    images = jax.ShapeDtypeStruct(shape, jnp.float32)
    program = jax.jit(lambda x: model.apply({"params": params}, x))
    return jax.export.export(program, platforms=PLATFORMS)(
        images
    ).mlir_module_serialized


def _restored(array: np.ndarray, bits: int, shape: list[int], **scale) -> jax.Array:
    if bits == FULL_PRECISION:
        _require("an array", array.dtype == np.float32, np.float32, array.dtype)
        _require("an array", [*array.shape] == shape, shape, array.shape)
        return jnp.asarray(array)
    steps, size = 2**bits - 1, math.prod(shape)
    held = array.dtype == np.uint8 and array.shape == (-(-bits * size // 8),)
    _require("an array", held, f"the bytes of {size} codes of {bits} bits", array.shape)
    finite = 0 <= scale["range"] <= float(np.finfo(np.float32).max)
    _require("a range", finite, "finite", scale["range"])
    bit_rows = np.unpackbits(array, count=bits * size, bitorder="little")
    codes = np.packbits(bit_rows.reshape(size, bits), axis=1, bitorder="little")
    values = (2.0 * codes.reshape(shape) - steps) / steps * scale["range"]
    return jnp.asarray(values if bits == 1 else np.arctanh(values), jnp.float32)
