"""What happened in a deployment is kept by round, and read as it is replayed."""

from flq_jax.experiments.deployment import history
from flq_jax.remote import Happened


def line(k, there):
    return {"round": k, "there": there, "anew": there[:1]}


def test_rounds_that_were_not_saved_are_forgotten(tmp_path):
    history.begin(tmp_path, 0)
    for k in range(3):
        history.add(tmp_path, line(k, [0, k]))
    history.begin(tmp_path, 2)
    assert history.lines(tmp_path) == [line(0, [0, 0]), line(1, [0, 1])]
    assert history.happened(history.lines(tmp_path)) == [
        Happened(frozenset({0}), frozenset({0})),
        Happened(frozenset({0, 1}), frozenset({0})),
    ]


def test_a_line_that_was_cut_off_is_none(tmp_path):
    history.add(tmp_path, line(0, [1]))
    with (tmp_path / history.NAME).open("a", encoding="utf-8") as file:
        file.write('{"round": 1, "the')
    assert history.lines(tmp_path) == [line(0, [1])]
