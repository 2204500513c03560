import jax
import numpy as np
import pytest

from flq_jax.models import Bits, SVHNNet, svhn


@pytest.mark.more
def test_packed_path_gives_the_float_path(drawn, monkeypatch):
    """To 1e-5 of the largest logit: normalization magnifies nothing."""
    eighth = tuple((width // 8, *layer) for width, *layer in svhn.LAYERS)
    monkeypatch.setattr(svhn, "LAYERS", eighth)
    x = np.random.default_rng(1).random((2, 40, 40, 3), np.float32)
    model = SVHNNet(bits=Bits(1, 2))
    variables = drawn(model, x)
    floats = np.asarray(jax.jit(model.apply)(variables, x))
    packed = jax.jit(model.clone(packed=True).apply)(variables, x)
    np.testing.assert_allclose(packed, floats, atol=1e-5 * abs(floats).max())
    assert np.ptp(floats, axis=0).max() > 1e-3  # logits see the image
