"""What is not exact on a device is counted."""

import numpy as np

from flq_jax.benchmarks.on_card import exactness


def test_a_convolution_of_the_host_by_hand():
    # 1 x 2 pixels of 3 and 5; every tap is 10 ** its place in the window.
    x = np.array([[[[3], [5]]]])
    w = 10 ** np.arange(9).reshape(3, 3, 1, 1)
    # The middle row of the window has the places 3, 4, 5.
    right = [3 * 10**4 + 5 * 10**5, 3 * 10**3 + 5 * 10**4]
    assert exactness.same_convolution(x, w).ravel().tolist() == right


def test_a_product_that_is_off_is_found(monkeypatch):
    product = exactness.bit_matmul

    def off(a, b):
        return product(a, b).at[1, 2].add(1)

    monkeypatch.setattr(exactness, "bit_matmul", off)
    work, measure = next(exactness.exactness(True, {}))
    assert work == "5x40x7 1x1 bit"
    assert measure() == {"wrong": 1}
