"""A model written at its true width is the model that was trained."""

import jax
import numpy as np
import pytest

from configs import default
from experiments.assembly import build
from experiments.reading import packed_model


@pytest.fixture
def config():
    model = default.get_config().model
    model.update({"name": "cnn", "channels": (3, 4), "activation_bits": 2})
    return model


@pytest.fixture
def images():
    return np.random.default_rng(1).random((4, 12, 12), np.float32)


@pytest.mark.parametrize("bits, edges", [(1, False), (3, True)])
def test_file_holds_every_weight_at_its_width(
    drawn, config, images, tmp_path, bits, edges
):
    config.update({"weight_bits": bits, "quantize_edges": edges})
    model = build.classifier(config, 5)
    params = drawn(model, images)["params"]
    path = tmp_path / "model.npz"
    counts = packed_model.save(path, config, params, 5, (12, 12))
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
        ValueError, match="must be a 'flq_jax packed model 1', got None"
    ):
        packed_model.load(tmp_path / "other.npz")


def test_program_names_every_platform(drawn, config, images):
    config.weight_bits = 1
    model = build.classifier(config, 5).clone(packed=True)
    params = drawn(model, images)["params"]
    program = packed_model.stablehlo(model, params, (1, 12, 12))
    assert program.startswith(b"ML\xefR")  # MLIR bytecode
