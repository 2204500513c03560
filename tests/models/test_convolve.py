import re
from collections import Counter
from itertools import starmap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from accelerators import lowered
from jax import lax
from more import more

from flq_jax.models.convolve import WIDE, convolve, max_pool

NHWC = ("NHWC", "HWIO", "NHWC")
NARROW = 4
OPERATION = re.compile(r"stablehlo\.(\w+)")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def like_lax(x, w, stride, padding):
    return lax.conv_general_dilated(x, w, stride, padding, dimension_numbers=NHWC)


KERNELS = [(3, 3), (5, 2), (1, 1)]
STRIDES = [(1, 1), (2, 1), (3, 2)]
PADDINGS = ["SAME", "VALID", ((0, 2), (3, 1))]
# Every kernel with every stride, and each of the two with every padding.
CASES = [
    (kernel, stride, PADDINGS[(i + j) % 3])
    for i, kernel in enumerate(KERNELS)
    for j, stride in enumerate(STRIDES)
]


@pytest.mark.parametrize("outputs", [NARROW, WIDE])
@pytest.mark.parametrize(
    "kernel, stride, padding", [*CASES[::2], *starmap(more, CASES[1::2])]
)
def test_it_is_the_convolution_and_its_gradients(rng, outputs, kernel, stride, padding):
    """On odd sizes, with windows that leave rows and columns out."""
    x = rng.random((3, 8, 7, 5), np.float32)
    w = rng.standard_normal((*kernel, 5, outputs), np.float32)

    @jax.jit
    def both(x, w):
        y, pullback = jax.vjp(lambda x, w: convolve(x, w, stride, padding), x, w)
        y_lax, pullback_lax = jax.vjp(
            lambda x, w: like_lax(x, w, stride, padding), x, w
        )
        return (y, *pullback(y_lax)), (y_lax, *pullback_lax(y_lax))

    for ours, theirs in zip(*both(x, w), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("outputs", [NARROW, WIDE])
def test_clients_have_gradients_of_their_own(rng, outputs):
    x = rng.random((2, 3, 5, 6, 2), np.float32)
    w = rng.standard_normal((2, 3, 3, 2, outputs), np.float32)

    def gradients(function):
        return jax.grad(lambda x, w: jnp.sum(jnp.sin(function(x, w))), argnums=(0, 1))

    alone = jax.jit(gradients(lambda x, w: like_lax(x, w, (1, 1), "SAME")))
    expected = [alone(*client) for client in zip(x, w)]
    found = jax.jit(jax.vmap(gradients(convolve)))(x, w)
    for ours, theirs in zip(found, zip(*expected), strict=True):
        np.testing.assert_allclose(ours, np.stack(theirs), rtol=1e-4, atol=1e-4)


def test_windows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="the window of .* must fit"):
        convolve(np.ones((1, 2, 2, 1)), np.ones((3, 3, 1, 4)), padding="VALID")


@pytest.mark.parametrize("channels", [1, WIDE])
def test_pool_takes_the_largest_of_whole_cells(channels):
    x = np.arange(15, dtype=np.float32).reshape(1, 5, 3, 1)
    pooled = jax.jit(max_pool)(x.repeat(channels, -1))
    for channel in np.moveaxis(np.asarray(pooled)[0], -1, 0):
        np.testing.assert_array_equal(channel, [[4.0], [10.0]])


@pytest.mark.parametrize("channels", [1, WIDE])
def test_gradient_of_a_pool_goes_to_the_largest(rng, channels):
    """Whole: to one entry, or shared among equals; what is left out gets none."""
    x = rng.standard_normal((2, 5, 4, channels), np.float32)
    x[:, :2, :2] = 1.0
    found = np.asarray(jax.jit(jax.grad(lambda x: jnp.sum(max_pool(x))))(x))
    np.testing.assert_array_equal(found[:, :2, :2], 0.25)
    np.testing.assert_array_equal(found[:, 4], 0.0)
    cells = x[:, 2:4].reshape(2, 2, 2, 2, channels)
    largest = cells == cells.max((1, 3), keepdims=True)
    np.testing.assert_array_equal(found[:, 2:4].reshape(cells.shape), largest)


@pytest.mark.parametrize("outputs", [NARROW, WIDE])
def test_an_accelerator_has_a_convolution_of_its_own(outputs):
    """A CPU's narrow ones are matrix products, and its wide ones turn the weights."""
    x = jax.ShapeDtypeStruct((2, 8, 8, 3), np.float32)
    w = jax.ShapeDtypeStruct((3, 3, 3, outputs), np.float32)

    def gradients(x, w):
        return jax.grad(lambda x, w: jnp.sum(convolve(x, w) ** 2), argnums=(0, 1))(x, w)

    def of_lax(x, w):
        def squares(x, w):
            return jnp.sum(like_lax(x, w, (1, 1), ((1, 1), (1, 1))) ** 2)

        return jax.grad(squares, argnums=(0, 1))(x, w)

    def operations(function, platform):
        return Counter(OPERATION.findall(lowered(function, x, w, platform=platform)))

    for platform in ("cuda", "tpu"):
        ours, theirs = (operations(f, platform) for f in (gradients, of_lax))
        assert ours["convolution"] == theirs["convolution"] == 3
        assert not ours["dot_general"] and not ours["concatenate"]
        assert ours["reverse"] == theirs["reverse"]
    on_cpu = operations(gradients, "cpu")
    products = "dot_general" if outputs == NARROW else "convolution"
    assert on_cpu[products] == 3


@pytest.mark.parametrize("channels", [1, WIDE])
def test_an_accelerator_pools_without_a_transposition(channels):
    x = jax.ShapeDtypeStruct((2, 8, 8, channels), np.float32)

    def gradient(x):
        return jax.grad(lambda x: jnp.sum(max_pool(x) ** 2))(x)

    text = {p: lowered(gradient, x, platform=p) for p in ("cuda", "cpu")}
    assert "transpose" not in text["cuda"]
    assert ("transpose" in text["cpu"]) == (channels == 1)
