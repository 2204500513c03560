"""A model written at its true width is the model that was trained."""

import contextlib
import json
import os
import zipfile

import hostile
import jax
import numpy as np
import pytest

from flq_jax.experiments.reading import packed_model
from flq_jax.models import CNN, Bits


def network(weights, edges=False):
    """(expression, what it makes) of a network of five classes."""
    bits = Bits(weights, 2)
    text = f"CNN((3, 4), bits=Bits({weights}, 2))"
    if edges:
        text = f"{text[:-1]}, edge_bits=Bits({weights}, 2))"
    edge_bits = bits if edges else Bits()
    return text, CNN((3, 4), num_classes=5, bits=bits, edge_bits=edge_bits)


@pytest.fixture
def images():
    return np.random.default_rng(1).random((4, 12, 12), np.float32)


@pytest.mark.parametrize("bits, edges", [(1, False), (3, True)])
def test_file_holds_every_weight_at_its_width(drawn, images, tmp_path, bits, edges):
    text, model = network(bits, edges)
    params = drawn(model, images)["params"]
    path = tmp_path / "model.npz"
    counts = packed_model.save(path, text, model, params, 5, (12, 12))
    inner, outer, biases = 9 * 3 * 4, 9 * 3 + 36 * 5, 3 + 4 + 5
    low = inner + edges * outer
    assert counts == {bits: low, 32: inner + outer + biases - low}
    with np.load(path) as file:
        stored = sum(file[name].nbytes for name in file if name != "header")
    whole_bytes = sum(-(-bits * n // 8) for n in ([108, 27, 180] if edges else [108]))
    assert stored == whole_bytes + 4 * counts[32]
    loaded, restored, image = packed_model.load(path)
    assert loaded.packed and image == (12, 12)
    expected = jax.jit(model.apply)({"params": params}, images)
    logits = jax.jit(loaded.apply)({"params": restored}, images)
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_another_file_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(
        ValueError, match="must be an intact 'flq_jax packed model 2', got .* None"
    ):
        packed_model.load(tmp_path / "other.npz")


@pytest.fixture
def written(drawn, images, tmp_path):
    """(path, header, arrays) of a model with kernels of three bits."""
    text, model = network(3)
    params = drawn(model, images)["params"]
    path = tmp_path / "model.npz"
    packed_model.save(path, text, model, params, 5, (12, 12))
    with np.load(path) as file:
        arrays = dict(file)
    return path, json.loads(arrays.pop("header").tobytes()), arrays


def wide(kernel):
    """The dimension that the widest kernel's header tells is 2^40."""

    def spoil(header, arrays):
        header["tensors"][kernel]["shape"][-1] = 2**40

    return spoil


def changed(*path, to):
    def spoil(header, arrays):
        *way, last = path
        for key in way:
            header = header[key]
        header[last] = to

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        wide("conv_1/kernel"),  # 1 TiB of zeros, had numpy its way
        changed("image", to=[2**20, 2**20]),  # 4 TiB of one image
        changed("image", to="12"),
        changed("num_classes", to=None),
        changed("num_classes", to=2**40),
        changed("model", to=[]),
        changed("model", to="other((3, 4))"),
        changed("model", to="CNN((3, 4), bits=Bits(9, 2))"),
        changed("model", to="CNN((3, 4), bits=Bits(3, 2), no_option=9)"),
        changed("model", to="CNN((3, 4), hidden=(2**40,), bits=Bits(3, 2))"),
        changed("model", to="sys.exit(0)"),
        changed("model", to="optax.os.abort()"),
        changed("tensors", to={}),
        changed("tensors", "conv_1/kernel", "bits", to=32),
        changed("tensors", "conv_1/kernel", "range", to=float("nan")),
        changed("tensors", "conv_1/kernel", "range", to=1e39),
        changed("tensors", "conv_1/kernel", to=None),
        lambda header, arrays: header["tensors"]["conv_1/kernel"].pop("range"),
        lambda header, arrays: arrays.pop("conv_1/bias"),
        lambda header, arrays: arrays.update({"conv_1/bias": np.zeros(5, "f4")}),
        lambda header, arrays: arrays.update({"conv_1/bias": np.zeros(4, "f8")}),
        lambda header, arrays: arrays.update({"conv_1/kernel": np.zeros(9, "u1")}),
        lambda header, arrays: arrays.update({"more": np.zeros(9, "u1")}),
    ],
)
def test_a_header_that_does_not_fit_its_arrays_is_a_value_error(written, spoil):
    path, header, arrays = written
    spoil(header, arrays)
    np.savez(path, header=np.frombuffer(json.dumps(header).encode(), "u1"), **arrays)
    with pytest.raises(ValueError, match=f"{path}: must be an intact") as error:
        packed_model.load(path)
    assert "\n" not in str(error.value)


def test_an_array_that_promises_a_terabyte_is_a_value_error(written):
    """A member's header alone; numpy would allocate what it says."""
    path, *_ = written
    told = {"descr": "|u1", "fortran_order": False, "shape": (2**40,)}
    with zipfile.ZipFile(path, "a") as archive, archive.open("more.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, told)
    with pytest.raises(ValueError, match="more.npy of shape"):
        packed_model.load(path)


@pytest.mark.parametrize(
    "text", [b"[]", b"1", b"{", b"\xff", b"[" * 100_000, b'{"format": ' + b"9" * 5000]
)
def test_a_header_that_is_none_is_a_value_error(tmp_path, text):
    np.savez(tmp_path / "model.npz", header=np.frombuffer(text, "u1"))
    with pytest.raises(ValueError, match="must be an intact"):
        packed_model.load(tmp_path / "model.npz")


def test_what_is_no_file_is_an_os_error(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path in tmp_path, tmp_path / "fifo", tmp_path / "absent":
        with pytest.raises(OSError):
            packed_model.load(path)


@pytest.mark.parametrize("count", [60, pytest.param(20_000, marks=pytest.mark.repro)])
def test_damaged_files_are_value_errors(written, count):
    """In the archive, and in the header of a whole one, which no checksum sees."""
    path, header, arrays = written
    rng, good = np.random.default_rng(0), path.read_bytes()
    text = json.dumps(header).encode()
    for i in range(count):
        if i % 2:
            path.write_bytes(hostile.damaged(good, rng))
        else:
            other = np.frombuffer(hostile.damaged(text, rng), "u1")
            np.savez(path, header=other, **arrays)
        with contextlib.suppress(ValueError):
            packed_model.load(path)


def test_program_names_every_platform(drawn, images):
    model = network(1)[1].clone(packed=True)
    params = drawn(model, images)["params"]
    program = packed_model.stablehlo(model, params, (1, 12, 12))
    assert program.startswith(b"ML\xefR")  # MLIR bytecode
