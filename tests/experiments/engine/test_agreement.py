"""All processes run what was asked for, and equal runs are told."""

import pytest

from flq_jax import data
from flq_jax.configs import default
from flq_jax.experiments.engine import agreement
from flq_jax.experiments.process import peers
from flq_jax.experiments.process.errors import ConfigError


def config(**options):
    made = default.get_config()
    made.update_from_flattened_dict(options)
    return made


@pytest.fixture
def other(monkeypatch):
    """Has another process told what this function is called with, or the same as we."""
    heard = []

    def told_by_all(text):
        heard.append(text)
        return [heard[0], text]

    monkeypatch.setattr(peers, "told_by_all", told_by_all)


ASKED = {"configs": {"": config()}, "folder": "runs/a", "together": 8}


@pytest.mark.parametrize(
    "change, told",
    [
        (
            {"configs": {"": config(seed=3)}},
            r"config\.seed 0 in process 0, 3 in process 1",
        ),
        ({"configs": {"a": config()}}, r"runs \[''\] in process 0, \['a'\] .*more"),
        ({"folder": "runs/b"}, "workdir 'runs/a' in process 0, 'runs/b' in process 1"),
        ({"together": 2}, "together 8 in process 0, 2 in process 1"),
    ],
)
def test_processes_that_were_started_differently_end_in_one_line(change, told, other):
    agreement.require_same_options(**ASKED)
    agreement.require_same_options(**ASKED)
    with pytest.raises(
        ConfigError, match=f"--coordinator: .* alike, got .*{told}"
    ) as end:
        agreement.require_same_options(**ASKED | change)
    assert "\n" not in str(end.value)


def test_a_number_that_is_written_otherwise_is_the_same(other):
    whole, real = config(), config()
    del whole.stop["optimum"]  # as of a config file that makes its own
    whole.stop.optimum, real.stop.optimum = 1, 1.0
    agreement.require_same_options(**ASKED | {"configs": {"": whole}})
    agreement.require_same_options(**ASKED | {"configs": {"": real}})


def test_processes_that_read_other_examples_end_in_one_line(other):
    where = "idx('/data')"
    agreement.require_same_data({where: data.synthetic(train=20, test=10)})
    with pytest.raises(
        ConfigError, match=r"got data idx\('/data'\) '[0-9a-f]{16}' in process 0"
    ):
        agreement.require_same_data({where: data.synthetic(train=30, test=10)})


def test_runs_of_one_config_are_told(capsys):
    same = {
        "a": config(),
        "b": config(seed=1),
        "c": config(),
        "d": config(task="classification(l2=0.5)"),
    }
    agreement.tell_repeats(same)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("runs of one config") and line.endswith(": a = c")
    agreement.tell_repeats({name: same[name] for name in "abd"})
    assert capsys.readouterr().out == ""
