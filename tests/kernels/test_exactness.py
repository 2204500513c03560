"""Every back end that runs here equals 64-bit integer arithmetic in numpy.

Each test stacks its random cases under one vmap, so that a few compilations cover many.
"""

from itertools import starmap

import jax
import numpy as np
import pytest
from more import more

from flq_jax.kernels import bit_conv, bit_matmul, pack

CASES = 16
WIDTHS = [(1, 1), (1, 2), (2, 3), (3, 1), (4, 4), (5, 6), (6, 5), (7, 8), (8, 7)]
LENGTHS = [1, 31, 32, 33, 64, 100, 257]
# The longest for the narrowest; the last is summed in two chunks and a rest.
PRODUCTS = [*zip(WIDTHS, (257, 100, 64, 33, 33, 31, 32, 1, 31)), ((1, 3), 520)]
# stride, dilation, padding, groups, kernel, channels, outputs
GEOMETRIES = [
    (1, 1, "SAME", 1, (3, 3), 40, 5),
    (2, 1, "SAME", 1, (3, 2), 33, 4),
    ((1, 2), (2, 1), "VALID", 1, (2, 3), 5, 3),
    (1, 1, ((2, 0), (1, 3)), 3, (3, 3), 9, 6),
    ((2, 3), 2, "SAME", 2, (1, 3), 70, 4),
    (3, 1, "SAME", 1, (5, 5), 3, 18),
]
CONVOLUTIONS = list(zip(WIDTHS, GEOMETRIES))


def signs(bits_a, bits_b):
    """One bit is +-1, as weights and signs are; else every combination in turn."""
    return bits_a == 1 or bits_a % 3 == 0, bits_b == 1 or bits_b % 2 == 0


def check_matmul(oracle, bits_a, bits_b, length, backend, packed):
    signed_a, signed_b = signs(bits_a, bits_b)
    a = oracle.operand((CASES, 5, length), bits_a, signed_a)
    b = oracle.operand((CASES, length, 18), bits_b, signed_b)

    def product(a, b):
        if packed:
            a, b = pack(a), pack(b, -2)
        return bit_matmul(a, b, backend=backend)

    result = jax.jit(jax.vmap(product))(a, b)
    assert result.dtype == np.int32
    np.testing.assert_array_equal(result, oracle.matmul(a, b))


def check_conv(oracle, bits_x, bits_w, geometry, backend, packed):
    stride, dilation, padding, groups, kernel, channels, outputs = geometry
    signed_x, signed_w = signs(bits_x, bits_w)
    x = oracle.operand((CASES, 2, 7, 6, channels), bits_x, signed_x)
    w = oracle.operand((CASES, *kernel, channels // groups, outputs), bits_w, signed_w)
    options = {"stride": stride, "dilation": dilation, "padding": padding}

    def product(x, w):
        if packed:
            x, w = pack(x, -1, groups), pack(w, -2)
        return bit_conv(x, w, groups=groups, backend=backend, **options)

    result = jax.jit(jax.vmap(product))(x, w)
    assert result.dtype == np.int32
    expected = oracle.conv(x, w, stride, dilation, padding, groups)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    "bits, length", [*PRODUCTS[::2], *starmap(more, PRODUCTS[1::2])]
)
def test_popcount_products_are_exact(oracle, bits, length):
    check_matmul(oracle, *bits, length, "lax_popcount", packed=True)


@pytest.mark.parametrize("bits, length", [((1, 1), 33), ((3, 5), 70), ((8, 8), 300)])
@pytest.mark.parametrize("backend", ["reference", "lax_dot", None])
def test_other_products_are_exact(oracle, backend, bits, length):
    check_matmul(oracle, *bits, length, backend, packed=False)


@pytest.mark.parametrize(
    "bits, geometry", [*CONVOLUTIONS[::2], *starmap(more, CONVOLUTIONS[1::2])]
)
def test_popcount_convolutions_are_exact(oracle, bits, geometry):
    check_conv(oracle, *bits, geometry, "lax_popcount", packed=True)


@pytest.mark.parametrize("backend", ["reference", "lax_dot", None])
@pytest.mark.parametrize("bits, geometry", [((1, 1), 3), ((8, 8), 0)])
def test_other_convolutions_are_exact(oracle, backend, bits, geometry):
    check_conv(oracle, *bits, GEOMETRIES[geometry], backend, packed=False)


@pytest.mark.parametrize("geometry", range(len(GEOMETRIES)))
def test_padding_counts_as_zero_for_signs(oracle, geometry):
    check_conv(oracle, 1, 1, GEOMETRIES[geometry], "lax_popcount", packed=False)


@pytest.mark.repro
@pytest.mark.parametrize("bits_b", range(1, 9))
@pytest.mark.parametrize("bits_a", range(1, 9))
def test_all_widths_are_exact(oracle, bits_a, bits_b):
    """64 pairs of 48 cases: 3,072 in all, half of them products."""
    turn = 8 * bits_a + bits_b
    lengths = [LENGTHS[turn % 7], LENGTHS[(turn + 3) % 7]]
    check_matmul(oracle, bits_a, bits_b, lengths[0], "lax_popcount", packed=True)
    check_matmul(oracle, bits_a, bits_b, lengths[1], "lax_dot", packed=True)
    geometry = GEOMETRIES[turn % len(GEOMETRIES)]
    check_conv(oracle, bits_a, bits_b, geometry, "lax_popcount", packed=True)
