"""A link that ends is started again, as often as was asked for."""

import pathlib

import pytest

from flq_jax.experiments.process.address import Address
from flq_jax.experiments.process.errors import ConfigError

pytest.importorskip("flwr", reason="needs the extra [flower], see .ci/flower")

from flq_jax.experiments.deployment import session

DONE = session.Played({}, 1)


def starts_until_played(monkeypatch, ends, restarts, elsewhere=False):
    """How many starts it takes to play, where the link ends in the first `ends`."""
    homes = []

    def played(asked, folder, submission, home):
        homes.append(home)
        if len(homes) <= ends:
            raise session._Ended("the link ended, exit status -9")
        return DONE

    monkeypatch.setattr(session, "_played", played)
    where = Address("127.0.0.1", 0)
    asked = session.Asked(1, 1.0, 1.0, restarts, elsewhere, where, ("", "", ""))
    home = pathlib.Path("home")
    assert session.play(asked, pathlib.Path("none"), home, home) == DONE
    assert len({*homes}) == len(homes)  # none finds the files of another
    return len(homes)


def test_it_is_started_again_while_a_restart_is_left(monkeypatch):
    assert starts_until_played(monkeypatch, ends=0, restarts=0) == 1
    assert starts_until_played(monkeypatch, ends=2, restarts=2) == 3
    with pytest.raises(ConfigError, match="the link ended, exit status -9; 0 rounds"):
        starts_until_played(monkeypatch, ends=3, restarts=2)


def test_nodes_elsewhere_are_not_ours_to_start(monkeypatch):
    with pytest.raises(ConfigError, match="the link ended, exit status -9; 0 rounds"):
        starts_until_played(monkeypatch, ends=1, restarts=2, elsewhere=True)
