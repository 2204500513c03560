"""The implicit convolution for NVIDIA GPUs, interpreted; and lowered."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from more import more

from flq_jax.kernels import as_signs, bit_conv, gpu, gpu_conv, int8, pack, predicted
from flq_jax.kernels.geometry import resolve

# size, kernel, stride, dilation, padding, groups, outputs, bits and signs of x and w
CASES = [
    ((5, 4), (3, 3), 1, 1, "SAME", 1, 3, (1, True), (1, True)),
    ((6, 5), (3, 2), (2, 1), (1, 2), ((2, 0), (1, 3)), 2, 4, (1, True), (1, True)),
    ((7, 5), (2, 3), (1, 2), 2, "SAME", 1, 70, (2, False), (3, True)),
]
# Eight bits do not fit a signed byte; compiling their planes takes long.
BYTES = ((3, 4), (2, 1), 1, 1, ((1, 0), (0, 2)), 1, 5, (8, True), (8, False))


@pytest.mark.parametrize(
    "case", [*CASES, more(BYTES)], ids=["signs", "grouped", "codes", "bytes"]
)
@pytest.mark.parametrize("backend", ["gpu_popcount", "gpu_int8"])
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


KERNELS = {
    "popcount xor": functools.partial(gpu_conv.popcount_conv, binary=True),
    "popcount and": functools.partial(gpu_conv.popcount_conv, binary=False),
    "int8": gpu_conv.int8_conv,
}
kernels = pytest.mark.parametrize("kernel", KERNELS)


def drawn(seed):
    """Options of a convolution, and shapes of images and weights, at random."""
    rng = np.random.default_rng(seed)

    def pair(low, high):
        return tuple(map(int, rng.integers(low, high, 2)))

    kernel, dilation = pair(1, 4), pair(1, 3)
    least = [d * (k - 1) + 1 for d, k in zip(dilation, kernel)]
    size = tuple(n + room for n, room in zip(least, pair(0, 5)))
    groups, channels, outputs = map(int, rng.integers((1, 1, 1), (3, 70, 20)))
    options = {"stride": pair(1, 4), "dilation": dilation, "groups": groups}
    options["padding"] = pair(0, 3), pair(0, 3)
    images = (2, *size, channels * groups)
    return options, images, (*kernel, channels, outputs * groups)


@pytest.mark.parametrize("backend", ["gpu_popcount", "gpu_int8"])
@pytest.mark.parametrize("seed", [0, 1, *map(more, range(2, 12))])
def test_any_geometry_is_exact(oracle, backend, seed, interpret):
    options, images, weights = drawn(seed)
    signed = seed % 2 == 0
    x = oracle.operand(images, 1 if signed else 2, signed)
    w = oracle.operand(weights, 1, signed)
    run = functools.partial(bit_conv, backend=backend, interpret=interpret, **options)
    np.testing.assert_array_equal(jax.jit(run)(x, w), oracle.conv(x, w, **options))


@kernels
@pytest.mark.parametrize("groups", [1, 3])
def test_lowers_for_cuda(kernel, groups):
    geometry = resolve((9, 8), (3, 3), 2)
    x = jax.ShapeDtypeStruct((groups, 2, 5, 9, 8, 2), jnp.int32)
    w = jax.ShapeDtypeStruct((groups, 1, 3, 3, 2, 70), jnp.int32)
    run = jax.vmap(functools.partial(KERNELS[kernel], geometry=geometry))
    with gpu.in_mind():
        lowered = jax.jit(run).trace(x, w).lower(lowering_platforms=("cuda",))
    assert "__gpu$xla.gpu.triton" in lowered.as_text()


def test_sums_of_signed_bytes_give_those_of_codes(oracle):
    """u = c - 128, of 64 places and of padding, whose code is 0."""
    size, kernel, padding = (3, 4), (2, 1), ((1, 0), (0, 2))
    geometry = resolve(size, kernel, padding=padding)
    x = oracle.operand((2, *size, 40), 8, False)
    w = oracle.operand((*kernel, 40, 5), 8, False)
    wide = [(0, 0)] * 3 + [(0, 24)]
    u_x = np.pad(x.codes, [(0, 0), *padding, (0, 24)]).astype(int) - 128
    u_w = np.pad(w.codes, [*wide[:2], (0, 24), (0, 0)]).astype(int) - 128
    product = sum(u_x[:, i : i + 3] @ u_w[i, 0] for i in range(2))
    words = pack(x).words, pack(w, -2).words
    result = int8.restore_conv(product, *words, geometry, 2 * 64)
    np.testing.assert_array_equal(result, oracle.conv(x, w, 1, 1, padding, 1))


@pytest.mark.parametrize("backend", ["gpu_popcount", "gpu_int8"])
def test_no_windows_lie_in_memory(backend):
    """Of the lowered program, no array but operands, counts and the result."""
    x = pack(as_signs(jnp.ones((2, 16, 16, 64))))
    w = pack(as_signs(jnp.ones((3, 3, 64, 64))), -2)
    run = functools.partial(bit_conv, backend=backend, platform="gpu")
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
            x,
            w,
            binary=True,
            geometry=geometry,
            tiling=predicted.Tiling((24, 64)),
            interpret=True,
        )
