"""A checkpoint is the state bit for bit, or it is not used."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.folder.checkpoints import KEPT, Checkpoints


class State(NamedTuple):
    params: jax.Array
    memory: tuple


STATE = State(
    jnp.array([1.5, jnp.nan, -0.0, 1e-42]), (jnp.arange(6).reshape(2, 3), jnp.zeros(0))
)
BLANK = jax.tree.map(jnp.zeros_like, STATE)


@pytest.fixture
def told():
    return []


def checkpoints(tmp_path, told):
    return Checkpoints(tmp_path / "checkpoints", told.append)


def scaled(factor):
    return STATE._replace(params=factor * STATE.params)


def same(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.asarray(x).tobytes() == np.asarray(y).tobytes() for x, y in pairs)


def test_there_is_nothing_before_the_first(tmp_path, told):
    assert checkpoints(tmp_path, told).restore(BLANK) is None
    assert not (tmp_path / "checkpoints").exists()


def test_the_newest_comes_back_bit_for_bit(tmp_path, told):
    store = checkpoints(tmp_path, told)
    rows = [{"round": 1}]
    store.save(1, scaled(3.0), {"rows": rows})
    store.save(2, STATE, {"rows": rows})
    rows.append({"round": 3})  # the run goes on while it is written
    store.close()
    rounds, state, note = checkpoints(tmp_path, told).restore(BLANK)
    assert rounds == 2 and note == {"rows": [{"round": 1}]}
    assert same(state, STATE) and not told


def test_a_few_are_kept(tmp_path, told):
    store = checkpoints(tmp_path, told)
    for rounds in range(1, KEPT + 3):
        store.save(rounds, STATE, {})
    store.close()
    kept = {int(path.name) for path in (tmp_path / "checkpoints").iterdir()}
    assert kept == set(range(3, KEPT + 3))


@pytest.mark.parametrize("damage", ["note", "state", "missing"])
def test_a_broken_one_is_set_aside_and_told(damage, tmp_path, told):
    store = checkpoints(tmp_path, told)
    store.save(1, scaled(3.0), {"of": 1})
    store.save(2, STATE, {"of": 2})
    store.close()
    newest = tmp_path / "checkpoints/2"
    if damage == "note":
        path = newest / "note/metadata"
        path.write_text(path.read_text().replace('"of": 2', '"of": 3'))
    else:
        path = max(newest.rglob("d/*"), key=lambda file: file.stat().st_size)
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    rounds, state, note = checkpoints(tmp_path, told).restore(BLANK)
    assert rounds == 1 and note == {"of": 1} and same(state, scaled(3.0))
    assert len(told) == 1 and "round 2 is broken and was set aside" in told[0]
    assert (tmp_path / "broken_checkpoints/2").is_dir()


def test_a_state_of_another_shape_is_none_of_ours(tmp_path, told):
    store = checkpoints(tmp_path, told)
    store.save(1, STATE, {})
    store.close()
    other = BLANK._replace(params=jnp.zeros(5))
    assert checkpoints(tmp_path, told).restore(other) is None and len(told) == 1
