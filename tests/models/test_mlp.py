import jax
import numpy as np
import pytest

from flq_jax.models import MLP, Bits


@pytest.mark.parametrize(
    "hidden, count",
    [
        ((200,), 784 * 200 + 200 + 200 * 10 + 10),  # 159010
        ((128,), 101770),
        ((200, 200), 199210),
    ],
)
def test_number_of_parameters(key, hidden, count):
    images = np.zeros((1, 28, 28), np.float32)
    params = jax.eval_shape(MLP(hidden=hidden).init, key, images)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


def test_full_precision_is_a_relu_network(drawn):
    x = np.random.default_rng(1).random((4, 2, 3), np.float32)
    model = MLP(hidden=(5, 7), num_classes=3)
    variables = drawn(model, x)

    def affine(name, y):
        layer = variables["params"][name]
        return y @ np.asarray(layer["kernel"]).T + np.asarray(layer["bias"])

    y = x.reshape(4, 6)
    for name in ("hidden_0", "hidden_1"):
        y = np.maximum(affine(name, y), 0.0)
    found = jax.jit(model.apply)(variables, x)
    np.testing.assert_allclose(found, affine("output", y), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("hidden_range", (1.0, 3.0))
def test_hidden_units_are_rounded_in_their_range(hidden_range):
    kernels = {
        "hidden_0": {"kernel": np.float32([[4.0], [2.0], [-1.0], [0.4]])},
        "output": {"kernel": np.eye(4, dtype=np.float32)},
    }
    model = MLP((4,), 4, False, (Bits(), Bits(activations=1)), True, hidden_range)
    seen = jax.jit(model.apply)({"params": kernels}, np.ones((1, 1), np.float32))
    # 4 and 2 are above half of either range, -1 and 0.4 below.
    np.testing.assert_allclose(seen, [[hidden_range, hidden_range, 0.0, 0.0]])


def test_each_layer_has_its_own_bits(drawn):
    x = np.random.default_rng(1).random((4, 6), np.float32)
    plain, mixed = MLP((5,)), MLP((5,), bits=(Bits(), Bits(weights=1)))
    variables = drawn(plain, x)
    kernel = np.asarray(variables["params"]["output"]["kernel"])
    binary = np.where(kernel >= 0, 1.0, -1.0) * np.mean(np.abs(kernel))
    rounded = jax.tree.map(lambda leaf: leaf, variables)
    rounded["params"]["output"]["kernel"] = np.float32(binary)
    np.testing.assert_allclose(
        jax.jit(mixed.apply)(variables, x),
        jax.jit(plain.apply)(rounded, x),
        rtol=1e-4,
        atol=1e-6,
    )


def test_too_few_bits_are_refused(key):
    with pytest.raises(ValueError, match=r"one Bits or 3 for hidden=\(5, 5\), got 2"):
        jax.eval_shape(MLP((5, 5), bits=(Bits(), Bits())).init, key, np.zeros((1, 4)))


def test_empty_hidden_range_is_refused(key):
    with pytest.raises(ValueError, match="hidden_range=0"):
        jax.eval_shape(MLP((5,), hidden_range=0.0).init, key, np.zeros((1, 4)))
