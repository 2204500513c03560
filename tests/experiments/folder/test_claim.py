"""A run's folder belongs to one config."""

import errno
import importlib
import json
import os
import pathlib
import subprocess
import sys

import pytest

from flq_jax.configs import default, mnist_flq_cnn
from flq_jax.experiments.folder import claim
from flq_jax.experiments.process.errors import ConfigError

ROOT = pathlib.Path(__file__).parents[3]


def config(**options):
    made = default.get_config()
    with made.unlocked():
        made.update_from_flattened_dict(options)
    return made


def compute(folder):
    """What a run leaves at its first evaluation."""
    (folder / "metrics.jsonl").write_text('{"round": 1}\n')


def test_a_folder_holds_the_whole_config(tmp_path):
    claim.prepare(tmp_path / "a/b", config(seed=3))
    kept = json.loads((tmp_path / "a/b/config.json").read_text())
    assert kept == claim.resolve(config(seed=3)) and kept["cell"]["blocks"] == 10


def test_the_same_config_is_welcome_again_and_with_more_rounds(tmp_path):
    for rounds in (100, 100, 200):
        claim.prepare(tmp_path, config(rounds=rounds))
        compute(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["rounds"] == 200
    (tmp_path / "config.json").write_text('{"rounds": "many"}')
    with pytest.raises(ConfigError, match="holds a run of another config"):
        claim.prepare(tmp_path, config())


@pytest.mark.parametrize(
    "options, match",
    [
        ({"rounds": 50}, "config.rounds: 100 there, 50 here"),
        ({"rounds": 200, "seed": 1}, "config.seed: 0 there, 1 here"),
    ],
)
def test_another_config_is_refused_with_what_differs(options, match, tmp_path):
    claim.prepare(tmp_path, config(rounds=100))
    compute(tmp_path)
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(ConfigError, match=match):
        claim.prepare(tmp_path, config(**options))
    assert (tmp_path / "config.json").read_bytes() == before


def test_a_step_that_is_scheduled_over_the_rounds_is_not_prolonged(tmp_path):
    server = mnist_flq_cnn.get_config().server
    claim.prepare(tmp_path, config(rounds=100, server=server))
    compute(tmp_path)
    claim.prepare(tmp_path, config(rounds=100, server=server))
    with pytest.raises(ConfigError, match="config.rounds: 100 there, 200 here"):
        claim.prepare(tmp_path, config(rounds=200, server=server))


@pytest.mark.parametrize(
    "options, prolonged",
    [
        ({"let.all": "rounds", "step": "1 / all"}, False),
        ({"uplink": "warm_up(sign(), rounds)"}, False),
        ({"let.all": "rounds"}, True),  # of which no part makes use
        ({"data": "npz('of rounds.npz')"}, True),
        ({"uplink": "warm_up(sign(), rounds=5)"}, True),
    ],
)
def test_a_run_is_prolonged_unless_a_part_of_it_names_the_rounds(
    options, prolonged, tmp_path
):
    claim.prepare(tmp_path, config(rounds=100, **options))
    compute(tmp_path)
    if prolonged:
        claim.prepare(tmp_path, config(rounds=200, **options))
    else:
        with pytest.raises(ConfigError, match="config.rounds: 100 there, 200 here"):
            claim.prepare(tmp_path, config(rounds=200, **options))


def test_what_is_written_otherwise_is_the_same_config(tmp_path):
    claim.prepare(tmp_path, config(uplink="lazy(innovation(uniform(4)), weight=0.5)"))
    compute(tmp_path)
    options = {
        "let.bits": 4,
        "uplink": "lazy(innovation(uniform(bits=bits)),weight=.5)",
    }
    claim.prepare(tmp_path, config(**options))


def test_a_run_of_an_earlier_version_is_told_in_one_line(tmp_path):
    earlier = {"rounds": 5, "seed": 0, "compressor": {"quantizer": "sign"}}
    (tmp_path / "config.json").write_text(json.dumps(earlier))
    compute(tmp_path)
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(ConfigError, match="a run of an earlier version") as error:
        claim.prepare(tmp_path, config())
    assert "\n" not in str(error.value) and str(tmp_path) in str(error.value)
    assert (tmp_path / "config.json").read_bytes() == before


def test_the_first_runs_had_the_loss_of_all_their_examples(tmp_path):
    claim.prepare(tmp_path, config())
    compute(tmp_path)
    path = tmp_path / "config.json"
    written = json.loads(path.read_text())
    del written["log"]["train_loss"]
    path.write_text(json.dumps(written))
    claim.prepare(tmp_path, config())
    claim.prepare(tmp_path, config(rounds=config().rounds + 1))
    path.write_text(json.dumps(written))
    with pytest.raises(ConfigError, match="log.train_loss: 1.0 there, 0.5 here"):
        claim.prepare(tmp_path, config(**{"log.train_loss": 0.5}))


@pytest.fixture
def own(tmp_path, monkeypatch):
    """(text) -> a module of the researcher's own that says so, used by another one."""
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    (folder / "own_claim.py").write_text("from own_claim_helper import link\n")

    def write(text):
        for name in ("own_claim", "own_claim_helper"):
            sys.modules.pop(name, None)
        made = "from flq_jax import sign\n\n\ndef link():\n    return sign()\n"
        (folder / "own_claim_helper.py").write_text(f"{made}# {text}\n")
        importlib.invalidate_caches()
        importlib.import_module("own_claim")
        return config(uplink="own_claim.link()")

    return write


def test_who_goes_on_with_another_version_of_own_modules_is_told(own, tmp_path, capsys):
    folder = tmp_path / "run"
    claim.prepare(folder, own("one"))
    began = json.loads((folder / "config.json").read_text())["own_modules"]
    assert {*began} == {"own_claim", "own_claim_helper"}
    compute(folder)
    claim.prepare(folder, own("one"))
    assert capsys.readouterr().out == ""
    claim.prepare(folder, own("other"))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("/run: begun with another version of own_claim_helper")
    kept = json.loads((folder / "config.json").read_text())
    assert kept["own_modules"] == began  # of what its first rounds were computed with
    changed = own("other")
    changed.rounds = 2000
    claim.prepare(folder, changed)
    kept = json.loads((folder / "config.json").read_text())
    assert kept["own_modules"] == began and kept["rounds"] == 2000


def test_before_anything_is_computed_own_modules_are_replaced(own, tmp_path):
    folder = tmp_path / "run"
    claim.prepare(folder, own("one"))
    claim.prepare(folder, own("other"))
    kept = json.loads((folder / "config.json").read_text())
    assert kept == claim.resolve(own("other"))


def test_another_config_is_welcome_where_nothing_was_computed(tmp_path, capsys):
    """A config that failed at its start is corrected in the same folder, and told."""
    claim.prepare(tmp_path, config(seed=1))
    (tmp_path / "metrics.jsonl").touch()
    (tmp_path / "checkpoints").mkdir()
    claim.prepare(tmp_path, config(seed=2))
    assert json.loads((tmp_path / "config.json").read_text())["seed"] == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("computed nothing, replaced (config.seed: 1 there, 2 here)")
    (tmp_path / "checkpoints/20").mkdir()
    with pytest.raises(ConfigError, match="config.seed: 2 there, 3 here"):
        claim.prepare(tmp_path, config(seed=3))


def test_a_folder_has_one_process_until_that_ends(tmp_path):
    """Killed, it leaves the file but no lock."""
    hold = (
        "import pathlib, time\nfrom flq_jax.experiments.folder import claim\n"
        "with claim.held(pathlib.Path({!r})):\n    print(flush=True); time.sleep(99)"
    )
    args = [sys.executable, "-c", hold.format(str(tmp_path))]
    with subprocess.Popen(args, cwd=ROOT, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(claim.InUse, match=f"in use by process {other.pid} on"):
            claim.prepare(tmp_path, config())
        assert not (tmp_path / "config.json").exists()
        other.kill()
    for _ in range(2):
        with claim.held(tmp_path):
            assert f"process {os.getpid()} on" in (tmp_path / ".lock").read_text()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF])
def test_a_file_system_without_locks_is_taken_for_free(number, tmp_path, monkeypatch):
    def flock(file, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(claim.fcntl, "flock", flock)
    with claim.held(tmp_path):
        claim.prepare(tmp_path, config(seed=5))
    assert json.loads((tmp_path / "config.json").read_text())["seed"] == 5


@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_a_foreign_config_file_is_refused(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigError, match="--workdir"):
        claim.prepare(tmp_path, config())


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--workdir: can't use"):
        claim.prepare(tmp_path / "file", config())
