import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from flq_jax.kernels.geometry import inside_sums, resolve, seen, taps


@pytest.mark.parametrize("size", [(7, 6), (9, 4)])
@pytest.mark.parametrize("stride", [1, 2, (3, 2)])
@pytest.mark.parametrize("dilation", [1, (2, 1)])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_shapes_and_padding_are_those_of_lax(size, stride, dilation, padding):
    geometry = resolve(size, (3, 2), stride, dilation, padding)
    extent = [d * (k - 1) + 1 for d, k in zip(geometry.dilation, (3, 2))]
    expected = lax.padtype_to_pads(size, extent, geometry.stride, padding)
    assert list(geometry.padding) == list(map(tuple, expected))
    room = [n + sum(p) - e for n, p, e in zip(size, expected, extent)]
    assert geometry.out == tuple(r // s + 1 for r, s in zip(room, geometry.stride))


def test_taps_read_zero_outside_the_image():
    geometry = resolve((2, 2), (1, 3), padding=((0, 0), (1, 1)))
    image = jnp.asarray([[1, 2], [3, 4]])[None, :, :, None]
    seen = [np.asarray(tap)[0, :, :, 0].tolist() for tap in taps(image, geometry)]
    assert seen == [[[0, 1], [0, 3]], [[1, 2], [3, 4]], [[2, 0], [4, 0]]]


def test_inside_sums_leave_out_padded_taps():
    geometry = resolve((3, 3), (3, 3))
    result = inside_sums(jnp.ones((3, 3, 1), int), geometry)[:, :, 0]
    np.testing.assert_array_equal(result, [[4, 6, 4], [6, 9, 6], [4, 6, 4]])


@pytest.mark.parametrize("name", ["stride", "dilation"])
@pytest.mark.parametrize("value", [0, (1, 0), (1, 1, 1), 1.5])
def test_steps_below_one_are_refused(name, value):
    with pytest.raises((ValueError, TypeError), match=f"{name}|iterable"):
        resolve((5, 5), (3, 3), **{name: value})


@pytest.mark.parametrize("padding", ["FULL", ((1, 1),), ((0, -1), (0, 0)), 3])
def test_other_paddings_are_refused(padding):
    with pytest.raises(ValueError, match="bit_conv: padding must be .* got padding="):
        resolve((5, 5), (3, 3), padding=padding)


def test_window_larger_than_the_image_is_refused():
    with pytest.raises(
        ValueError, match=r"window of \(9, 3\) must fit .*size=\(5, 5\)"
    ):
        resolve((5, 5), (5, 3), dilation=(2, 1), padding="VALID")


def test_a_window_sees_the_pixels_of_its_taps():
    # One row of 5 pixels, stride 2, dilation 2, one column of padding on the left:
    # windows begin at -1 and 1, the second tap lies two further.
    geometry = resolve((1, 5), (1, 2), (1, 2), (1, 2), ((0, 0), (1, 0)))
    assert geometry.out == (1, 2)
    window = jnp.arange(5)
    pixel, inside = seen(window, 0, 1, 2, geometry)
    np.testing.assert_array_equal(pixel[:4], [1, 3, 6, 8])
    np.testing.assert_array_equal(inside, [True] * 4 + [False])
    _, inside = seen(window, 0, 0, 2, geometry)
    np.testing.assert_array_equal(inside, [False, True, False, True, False])
