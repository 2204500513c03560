"""A checkpoint is the state bit for bit, or it is not used."""

import hashlib
import json
import os
import subprocess
import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import orbax.checkpoint
import pytest

from flq_jax.simulation import checkpoints as module
from flq_jax.simulation import leaves
from flq_jax.simulation.checkpoints import KEPT, Checkpoints, NotThisRuns


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


@pytest.mark.parametrize("most", [0, 10**6])
def test_a_state_whose_buffers_are_donated_next_is_saved_as_it_was(
    most, tmp_path, told, monkeypatch
):
    """A large one is written before `save` comes back, a small one from a copy."""
    monkeypatch.setattr(module, "MOST_COPIED", most)
    store, state = checkpoints(tmp_path, told), jax.tree.map(jnp.copy, STATE)
    store.save(1, state, {})
    there = [path for path in (tmp_path / "checkpoints").iterdir() if path.name == "1"]
    assert there or most
    spoil = jax.jit(
        lambda x: jax.tree.map(lambda leaf: leaf * 0 + 7, x), donate_argnums=0
    )
    jax.block_until_ready(spoil(state))
    store.close()
    rounds, found, _ = checkpoints(tmp_path, told).restore(BLANK)
    assert rounds == 1 and same(found, STATE) and told == []


def test_a_digest_is_of_the_bytes_whatever_the_type(tmp_path):
    for array in (np.arange(6, dtype=np.int8), np.zeros(3, ml_dtypes.bfloat16), True):
        array = jnp.asarray(array)
        told = f"x{array.dtype}{array.shape}".encode() + np.asarray(array).tobytes()
        whole = hashlib.sha256(b"null" + told).hexdigest()
        assert leaves.digest([("x", array)]) == whole


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


@pytest.mark.parametrize("name", [r"$\frac$", "[bold]", "a*?", "gs:", "\udcff"])
def test_a_folder_of_any_name_gives_back_what_it_holds(name, tmp_path, told):
    """Orbax takes brackets and backslashes for a pattern, and would lose the leaves."""
    store = checkpoints(tmp_path / name, told)
    store.save(1, STATE, {})
    store.close()
    assert (tmp_path / name / "checkpoints/1").is_dir()
    rounds, state, _ = checkpoints(tmp_path / name, told).restore(BLANK)
    assert rounds == 1 and same(state, STATE) and not told


def test_what_cannot_be_written_is_an_os_error_in_one_line(tmp_path, capfd):
    """A limit on the size of files is met as a full disk is."""
    code = (
        "import pathlib, resource, jax.numpy as jnp\n"
        "from flq_jax.simulation.checkpoints import Checkpoints\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        f"store = Checkpoints(pathlib.Path({str(tmp_path)!r}), print)\n"
        "try:\n    store.save(1, (jnp.arange(2000.0),), {})\n    store.close()\n"
        "except OSError as error:\n    print(error)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    out, errors = capfd.readouterr()
    assert out.startswith("a checkpoint can't be written: ") and out.count("\n") == 1
    assert "Traceback" not in errors


def test_orbax_is_imported_with_the_first_checkpoint():
    """It takes longer to import than JAX."""
    code = (
        "import sys, flq_jax.simulation.checkpoints\n"
        "assert not [name for name in sys.modules if name.startswith('orbax')]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


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


@pytest.mark.parametrize(
    "other, match",
    [
        (BLANK._replace(params=jnp.zeros(5)), r"\.params is float32\[4\] there, fl.*5"),
        (BLANK._replace(memory=(BLANK.memory[0],) * 2), r"y\[1\] is missing there"),
        (BLANK._replace(params=jnp.zeros(4, jnp.int32)), r"float32.* there, int32"),
    ],
)
def test_another_state_s_checkpoint_is_refused_and_stays(other, match, tmp_path, told):
    store = checkpoints(tmp_path, told)
    store.save(1, STATE, {})
    store.close()
    with pytest.raises(NotThisRuns, match=f"round 1 .* not this run's: .*{match}"):
        checkpoints(tmp_path, told).restore(other)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"] and not told
    assert checkpoints(tmp_path, told).restore(BLANK)[0] == 1


@pytest.mark.parametrize("damaged", [1, 2])
def test_who_only_looks_moves_and_makes_nothing(damaged, tmp_path, told):
    """Of two checkpoints the newest are damaged, one or both."""
    store = checkpoints(tmp_path, told)
    for rounds in (1, 2):
        store.save(rounds, STATE, {"of": rounds})
    store.close()
    for rounds in (1, 2)[2 - damaged :]:
        (tmp_path / f"checkpoints/{rounds}/note/metadata").write_text("{")
    before = sorted(tmp_path.rglob("*"))
    found = Checkpoints(tmp_path / "checkpoints", told.append, True).restore(BLANK)
    assert (found and found[0]) == (1 if damaged == 1 else None)
    assert len(told) == damaged and all(
        "is broken and left out" in line for line in told
    )
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("damaged", [1, 3])
@pytest.mark.parametrize("text", ["NaN", '{"item_handlers": 3}', "[" * 100_000])
def test_what_orbax_cannot_read_of_one_takes_no_other_with_it(
    text, damaged, tmp_path, told
):
    """Of its times, which nobody needs."""
    store = checkpoints(tmp_path, told)
    for rounds in (1, 2, 3):
        store.save(rounds, STATE, {"of": rounds})
    store.close()
    (tmp_path / f"checkpoints/{damaged}/_CHECKPOINT_METADATA").write_text(text)
    store = checkpoints(tmp_path, told)
    rounds, state, _ = store.restore(BLANK)
    assert rounds == 3 and same(state, STATE) and not told
    store.save(4, scaled(3.0), {"of": 4})
    store.close()
    assert checkpoints(tmp_path, told).restore(BLANK)[0] == 4
    assert told == [f"checkpoint of round {damaged}: _CHECKPOINT_METADATA is broken"]
    assert not (tmp_path / "broken_checkpoints").exists()


@pytest.mark.parametrize("file", ["_CHECKPOINT_METADATA", "state/_METADATA"])
def test_a_fifo_in_a_checkpoint_is_not_waited_for(file, tmp_path, told):
    store = checkpoints(tmp_path, told)
    store.save(1, scaled(3.0), {})
    store.save(2, STATE, {})
    store.close()
    (tmp_path / "checkpoints/2" / file).unlink()
    os.mkfifo(tmp_path / "checkpoints/2" / file)
    store = checkpoints(tmp_path, told)
    assert store.restore(BLANK)[0] == 1
    assert "no regular file" in told[0] and len(told) == 1
    store.save(2, STATE, {})
    store.close()
    assert checkpoints(tmp_path, told).restore(BLANK)[0] == 2


@pytest.mark.parametrize("text", ["[]", "null", "{}", '{"note": {}}', "3", None])
def test_a_note_that_is_none_is_a_broken_checkpoint(text, tmp_path, told):
    store = checkpoints(tmp_path, told)
    store.save(1, scaled(3.0), {})
    store.save(2, STATE, {})
    store.close()
    path = tmp_path / "checkpoints/2/note/metadata"
    path.unlink() if text is None else path.write_text(text)
    assert checkpoints(tmp_path, told).restore(BLANK)[0] == 1
    assert len(told) == 1 and "round 2 is broken and was set aside" in told[0]


def test_of_a_cut_one_nothing_is_told_but_the_line(tmp_path, told, capfd):
    """Threads that read its other leaves would print a traceback each."""
    state = {f"{i}": jnp.arange(1000.0) for i in range(20)}
    store = checkpoints(tmp_path, told)
    store.save(1, state, {})
    store.save(2, state, {})
    store.close()
    for path in (tmp_path / "checkpoints/2").rglob("d/*"):
        path.write_bytes(path.read_bytes()[:20])
    code = (
        "import pathlib, jax.numpy as jnp\n"
        "from flq_jax.simulation.checkpoints import Checkpoints\n"
        f"store = Checkpoints(pathlib.Path({str(tmp_path)!r}) / 'checkpoints', print)\n"
        "store.restore({f'{i}': jnp.zeros(1000) for i in range(20)})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    out, errors = capfd.readouterr()
    assert out.startswith("checkpoint of round 2 is broken") and out.count("\n") == 1
    assert "Traceback" not in errors


class Swapped(NamedTuple):
    """As `State`, its two vectors in another order."""

    second: jax.Array
    first: jax.Array


class Straight(NamedTuple):
    first: jax.Array
    second: jax.Array


def test_fields_that_change_places_come_back_by_their_names(tmp_path, told):
    store = checkpoints(tmp_path, told)
    store.save(1, Straight(jnp.ones(3), jnp.zeros(3)), {})
    store.close()
    like = Swapped(jnp.zeros(3), jnp.zeros(3))
    _, state, _ = checkpoints(tmp_path, told).restore(like)
    assert state.first.tolist() == [1.0] * 3 and state.second.tolist() == [0.0] * 3


def leave_as_of_old(folder, state, note):
    """A checkpoint as it was before leaves had names."""
    digest = hashlib.sha256(json.dumps(note, sort_keys=True).encode())
    for leaf in jax.tree.leaves(state):
        digest.update(f"{leaf.dtype}{leaf.shape}".encode() + np.asarray(leaf).tobytes())
    leaves = enumerate(jax.tree.leaves(state))
    args, kept = orbax.checkpoint.args, {"note": note, "sha256": digest.hexdigest()}
    manager = orbax.checkpoint.CheckpointManager(folder)
    named = {f"leaf{i:04d}": leaf for i, leaf in leaves if leaf.size}
    manager.save(
        *(7, None, None),
        args=args.Composite(state=args.StandardSave(named), note=args.JsonSave(kept)),
    )
    manager.close()


def test_a_checkpoint_by_position_is_still_read_and_told(tmp_path, told):
    leave_as_of_old(tmp_path / "checkpoints", STATE, {"of": "old"})
    rounds, state, note = checkpoints(tmp_path, told).restore(BLANK)
    assert (rounds, note) == (7, {"of": "old"}) and same(state, STATE)
    assert told == ["checkpoint of round 7: leaves by position, as of old"]
    with pytest.raises(NotThisRuns, match=r"leaf0000 is float32\[4\] there, .*\[5\]"):
        checkpoints(tmp_path, told).restore(BLANK._replace(params=jnp.zeros(5)))


def test_a_newer_one_of_another_state_is_set_aside_where_an_older_is_ours(
    tmp_path, told
):
    """Its list of shapes is damaged: the run's own folder has the run's own shape."""
    store = checkpoints(tmp_path, told)
    store.save(1, STATE, {})
    store.save(2, STATE._replace(params=jnp.zeros(5)), {})
    store.close()
    assert checkpoints(tmp_path, told).restore(BLANK)[0] == 1
    assert (tmp_path / "broken_checkpoints/2").is_dir() and len(told) == 1
