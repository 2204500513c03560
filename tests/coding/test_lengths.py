"""What codes cost, by hand."""

import jax
import numpy as np
import pytest

from flq_jax import coding
from flq_jax.coding import Group


def counted(codes, runs, rising=0):
    return int(jax.jit(lambda c: coding.num_bits(c, runs, rising))(np.uint8(codes)))


def test_neighbours_of_one_width_share_a_model_and_rising_ones_have_their_own():
    found = coding.groups(((3, 2), (3, 4), (0, 5), (2, 1)), rising=2)
    assert found == [
        Group(3, 0, 2, True),
        Group(3, 2, 4, False),
        Group(2, 11, 1, False),
    ]


def test_a_quarter_of_ones_costs_its_entropy():
    """64 of 256 are ones: L = 64 log2 4 + 192 log2(4/3) = 207.68 bits.

    In front of it a bit, the symbols 0 and 1, and 192 zeros counted with m = 7, 5 + 8 + 1
    bits; after it (L / 24 + 4) log2(1 + 256 / (256 L)) = 0.088 and 2 bits: 1 + 2 + 14 +
    ceil(207.77) + 2.
    """
    codes = np.arange(256) % 4 == 3
    assert counted(codes, ((1, 256),)) == 1 + 2 + 14 + 208 + 2


def test_codes_without_redundancy_cost_a_bit_more_than_as_they_are():
    assert counted(np.arange(256), ((8, 256),)) == 8 * 256 + 1


def test_one_symbol_alone_costs_its_count():
    """The symbol 3 twice, and the 5 bits of a code of nothing; 2 at the end."""
    assert counted(np.full(200, 3), ((8, 200),)) == 1 + 16 + 5 + 2


def test_rising_codes_cost_their_gaps():
    """3, 7, 250: gaps 3, 3, 242; m = 6 makes 5 + 3 * 7 + 3 bits, m = 7 30, as they are 24."""
    assert counted([3, 7, 250], ((8, 3),), rising=3) == 1 + 24
    # Every fourth of 40: forty gaps of 3, m = 2, 5 + 40 * 3 bits, for 320.
    assert counted(4 * np.arange(40) + 3, ((8, 40),), rising=40) == 1 + 5 + 120


def test_each_group_is_counted_for_itself():
    codes = np.concatenate([np.arange(256), np.zeros(200)])
    assert counted(codes, ((8, 256), (1, 200))) == 8 * 256 + 1 + 1 + 2 + 5 + 2


@pytest.mark.parametrize("bits", [13, 32])
def test_codes_of_many_bits_stand_as_they_are_or_once_where_all_are_alike(bits):
    assert counted(np.arange(9) > 7, ((bits, 9),)) == 1 + 9 * bits
    assert counted(np.full(9, 5), ((bits, 9),)) == 1 + bits


@pytest.mark.parametrize("between", [(0, 0), (0, 4), (5, 0)])
def test_an_empty_run_parts_its_neighbours(between):
    found = coding.groups(((3, 5), between, (3, 2), (3, 1)))
    start = 5 if not between[1] else 9
    assert found == [Group(3, 0, 5, False), Group(3, start, 3, False)]
