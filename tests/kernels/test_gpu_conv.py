"""The implicit convolution for NVIDIA GPUs, interpreted; and lowered."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.kernels import as_signs, bit_conv, gpu, gpu_conv, pack
from flq_jax.kernels.geometry import resolve

# size, kernel, stride, dilation, padding, groups, outputs, bits and signs of x and w
CASES = [
    ((5, 4), (3, 3), 1, 1, "SAME", 1, 3, (1, True), (1, True)),
    ((6, 5), (3, 2), (2, 1), (1, 2), ((2, 0), (1, 3)), 2, 4, (1, True), (1, True)),
    ((7, 5), (2, 3), (1, 2), 2, "SAME", 1, 70, (2, False), (3, True)),
]


@pytest.mark.parametrize("case", CASES, ids=["signs", "grouped", "codes"])
@pytest.mark.parametrize("backend", ["gpu_popcount"])
def test_windows_gathered_in_the_kernel_are_exact(oracle, case, backend, interpret):
    size, kernel, stride, dilation, padding, groups, outputs, x_grid, w_grid = case
    channels = 33  # a word and a bit
    x = oracle.operand((2, *size, channels * groups), *x_grid)
    w = oracle.operand((*kernel, channels, outputs), *w_grid)
    run = functools.partial(
        bit_conv,
        stride=stride,
        dilation=dilation,
        padding=padding,
        groups=groups,
        backend=backend,
        interpret=interpret,
    )
    result = jax.jit(run)(x, w)
    expected = oracle.conv(x, w, stride, dilation, padding, groups)
    np.testing.assert_array_equal(result, expected)


def test_a_window_sees_the_pixels_of_its_taps():
    # One row of 5 pixels, stride 2, dilation 2, one column of padding on the left:
    # windows begin at -1 and 1, the second tap lies two further.
    geometry = resolve((1, 5), (1, 2), (1, 2), (1, 2), ((0, 0), (1, 0)))
    assert geometry.out == (1, 2)
    window = jnp.arange(5)
    pixel, inside = gpu_conv.seen(window, 0, 1, 2, geometry)
    np.testing.assert_array_equal(pixel[:4], [1, 3, 6, 8])
    np.testing.assert_array_equal(inside, [True] * 4 + [False])
    _, inside = gpu_conv.seen(window, 0, 0, 2, geometry)
    np.testing.assert_array_equal(inside, [False, True, False, True, False])


def test_no_windows_lie_in_memory():
    """Of the lowered program, no array but operands, counts and the result."""
    x = pack(as_signs(jnp.ones((2, 16, 16, 64))))
    w = pack(as_signs(jnp.ones((3, 3, 64, 64))), -2)
    run = functools.partial(bit_conv, backend="gpu_popcount", platform="gpu")
    with gpu.in_mind():
        lowered = jax.jit(run).trace(x, w).lower(lowering_platforms=("cuda",))
    text = lowered.as_text()
    assert "__gpu$xla.gpu.triton" in text
    # Nine taps of two words: as a matrix 512 x 18 words, or side by side in the image.
    assert "x512x18x" not in text and "x16x16x18x" not in text


def test_blocks_that_are_no_powers_of_two_are_refused(oracle):
    geometry = resolve((2, 2), (1, 1))
    x, w = oracle.words((1, 1, 2, 2, 1)), oracle.words((1, 1, 1, 1, 1))
    with pytest.raises(ValueError, match="popcount_conv: block must be powers of 2"):
        gpu_conv.popcount_conv(
            x, w, binary=True, geometry=geometry, block=(24, 64), interpret=True
        )
