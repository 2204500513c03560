"""Characters as tokens, and pieces of a text with what comes next."""

import numpy as np
import pytest

from flq_jax.data.characters import ALPHABET, tokens, windows


def test_every_character_of_the_alphabet_has_its_own_token():
    assert len(ALPHABET) == len(set(ALPHABET)) == 80
    assert tokens(ALPHABET).tolist() == list(range(80))
    assert tokens("").tolist() == []


def test_any_other_character_is_a_space():
    (space,) = tokens(" ")
    # The euro sign, beyond Latin-1, is first written as "?", which the alphabet has.
    assert tokens("{@\t\r\xe9").tolist() == [space] * 5
    assert tokens("\u20ac").tolist() == tokens("?").tolist()


@pytest.mark.parametrize("length, pieces", [(4, 2), (3, 3), (9, 1), (10, 0), (1, 9)])
def test_pieces_follow_one_another_and_targets_are_one_ahead(length, pieces):
    text = "0123456789"
    inputs, targets = windows(text, length)
    assert inputs.shape == targets.shape == (pieces, length)
    assert inputs.dtype == targets.dtype == np.int32
    places = np.arange(pieces * length).reshape(pieces, length)
    np.testing.assert_array_equal(inputs, tokens(text)[places])
    np.testing.assert_array_equal(targets, tokens(text)[places + 1])


def test_a_text_of_no_piece_has_none():
    for text in "", "a":
        inputs, targets = windows(text, 1)
        assert inputs.shape == targets.shape == (0, 1)
