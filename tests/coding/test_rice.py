"""Golomb-Rice codes by hand, and back."""

import numpy as np
import pytest

from flq_jax.coding import rice


def test_the_code_by_hand():
    """5, 0, 9 with m = 2: low bits 1, 0, 1; then 1, 0 and 2 zeros, each with a one."""
    assert rice.lengths(np.array([5, 0, 9]), np)[2] == 5 + 3 * 3 + 3
    # m = 1 has 5 + 3 * 2 + (2 + 0 + 4) and m = 3 has 5 + 3 * 4 + 1: two are shorter.
    assert rice.lengths(np.array([5, 0, 9]), np)[1:4].tolist() == [17, 17, 18]
    expected = "10000" + "1" + "0" + "1" + "001" + "1" + "00001"  # the least m, 1
    assert "".join(map(str, rice.write(np.array([5, 0, 9])))) == expected


@pytest.mark.parametrize("most", [1, 2, 100, 2**31 - 40])
@pytest.mark.parametrize("count", [0, 1, 50])
def test_numbers_come_back_in_as_many_bits_as_were_counted(count, most):
    values = np.random.default_rng(most).integers(0, most, count)
    bits = rice.write(values)
    assert bits.size == rice.lengths(values, np).min()
    back, used = rice.read(np.append(bits, np.ones(3, np.uint8)), count)
    assert used == bits.size
    np.testing.assert_array_equal(back, values)


def test_bits_that_end_too_early_are_refused():
    bits = rice.write(np.array([5, 0, 9]))
    for end in (0, 4, 6, bits.size - 1):
        with pytest.raises(ValueError, match="rice: needs"):
            rice.read(bits[:end], 3)
