"""The comparison of policies, by hand, and the maps."""

import json

import pytest
from absl.testing import flagsaver

from flq_jax.experiments import compare_policies
from flq_jax.experiments.engine import sweep
from flq_jax.experiments.options import command_line, validation
from flq_jax.experiments.reading import figures
from flq_jax.experiments.reading.grouping import Group
from flq_jax.experiments.reading.results import Result


def group(name, *runs, uplink="innovation(sign())"):
    """A group of runs, each a list of (accuracy, seconds, joules)."""
    config = {"clients": 15, "split": "iid()", "uplink": uplink}
    keys = "test_accuracy", "seconds", "joules"
    rows = [
        [dict(zip(keys, row, strict=True)) | {"uploads": row[1] > 0} for row in run]
        for run in runs
    ]
    return Group(name, config, [Result(name, config, r, {"x": 1}) for r in rows])


FAST = group(
    "fast", [(0.5, 1.0, 8.0), (0.9, 2.0, 16.0)], [(0.7, 1.0, 8.0), (0.8, 2, 16)]
)
FRUGAL = group("frugal", [(0.6, 3.0, 1.0), (0.9, 6.0, 2.0)])


def test_costs_and_accuracies_at_equal_time_and_energy():
    header, fast, frugal = compare_policies.compared([FAST, FRUGAL], 0.85)
    assert len(header) == len(fast) == len(frugal)
    assert fast[0] == "fast × 2" and frugal[0] == "frugal × 1"
    # 90 % is reached by one of the fast runs, at 2 s and 16 J.
    assert fast[4:6] == ["2 (1 of 2)", "16 (1 of 2)"]
    assert frugal[4:6] == ["6", "2"]
    # All spent 2 s or more, and 2 J or more.
    assert fast[6] == "85.0 ± 7.1" and frugal[6] == "never"
    assert fast[7] == "never" and frugal[7] == "90.00"


def test_another_link_sets_no_budget():
    floats = group("floats", [(0.3, 0.1, 0.1)], uplink="innovation(identity())")
    both = compare_policies.compared([FAST, FRUGAL], 0.85)
    assert compare_policies.compared([FAST, FRUGAL, floats], 0.85)[:3] == both
    assert compare_policies.compared([floats], 0.85)[1][6:] == ["30.00", "30.00"]


def test_who_never_sends_sets_no_budget():
    silent = group("silent", [(0.1, 0.0, 0.0)])
    both = compare_policies.compared([FAST, FRUGAL], 0.85)
    assert compare_policies.compared([FAST, FRUGAL, silent], 0.85)[:3] == both
    assert compare_policies.compared([silent], 0.85)[1][6:] == ["10.00", "10.00"]


def test_what_is_within_a_budget_is_the_last_of_it():
    rows = FAST.results[0].rows
    assert compare_policies.within(rows, "seconds", 1.5) == 0.5
    assert compare_policies.within(rows, "seconds", 2.0) == 0.9
    assert compare_policies.within(rows, "seconds", 0.5) is None


def test_every_policy_link_and_size_is_a_valid_run_of_its_own():
    names = "joint", "equal", "bits_budget", "longest_lived"
    axes = {
        "clients": compare_policies.BLOCKS,
        "partitions": ("iid", "dirichlet"),
        "links": compare_policies.LINKS,
        "policies": names,
    }
    found = dict(compare_policies.configs(seeds=2, rounds=40, **axes))
    assert len(found) == 2 * 3 * 2 * 4 * len(names)
    for config in found.values():
        validation.validate(config)
    one = found["50-dirichlet-equal-8bit-seed1"]
    assert (one.seed, one.clients, one.cell.blocks) == (1, 50, 12)
    assert one.split == "dirichlet(alpha=0.1)" and "uniform(8)" in one.uplink


@pytest.mark.parametrize(
    "flag, message",
    [
        ("--populations=15,20", "--populations: must be of 15, 50, 500, got '20'"),
        ("--populations=x", "got 'x'"),
        ("--links=binari", "got 'binari'; did you mean binary?"),
        ("--links=", "--links: must be of binary, 8bit, float, adaptive, got ''"),
        ("--partitions=IID", "--partitions: must be of contiguous, iid"),
        ("--policies=jont", "got 'jont'; did you mean joint?"),
        ("--seeds=0", "--seeds=0"),
        (
            "--config=configs/wireless_joint.py",
            "--config: is a flag of experiments.main",
        ),
        ("--runs=a", "--runs: is a flag of experiments.main (flq run) alone"),
        ("--together=2", "--together: is a flag of experiments.main (flq run) alone"),
        (
            "--coordinator=auto",
            "--coordinator: is a flag of experiments.main (flq run) alone",
        ),
    ],
)
def test_bad_flags_are_one_line_before_any_work(flag, message, tmp_path, capsys):
    folder = tmp_path / "runs"
    with flagsaver.flagsaver(), pytest.raises(SystemExit) as ended:
        compare_policies.main(
            command_line.parse_flags(["policies", f"--workdir={folder}", flag])
        )
    assert ended.value.code == 2 and not folder.exists()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and message in line


def test_the_table_is_of_what_was_asked_for(tmp_path, monkeypatch):
    """Beside it are a run without a cell, one of another link, and one without an end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sweep, "prepared", lambda configs, folder: list(configs))
    monkeypatch.setattr(sweep, "run_all", lambda runs: [])
    one = group("one", [(0.5, 1.0, 2.0)])
    counts = {"uploads": 1, "uplink_bits": 8, "downlink_bits": 8, "train_loss": 0.5}
    row = one.results[0].rows[0] | counts | {"round": 9}
    ended = {
        "round": 9, "stopped": "", "command": "", "source": "", "device": "", "bits": {},
        "versions": {}, "data": {"classes": 10}, "partition": {"sizes": []},
        "wall_seconds": 1.0,
    }  # fmt: skip
    cell = {"x_m": [0.0], "y_m": [0.0], "scheduled": [1], "heard": [1]}
    joint, other = "15-iid-joint-binary-seed0", "15-iid-joint-8bit-seed0"
    ends = {joint: {"cell": cell}, other: {"cell": cell}, "mnist_sgd": {"x": 1}}
    for name in (*ends, "15-iid-equal-binary-seed0"):
        folder = tmp_path / "runs/policies" / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(
            json.dumps(one.config | {"name": name, "rounds": 9})
        )
        cellular = "seconds", "joules"
        line = {k: v for k, v in row.items() if "15" in name or k not in cellular}
        (folder / "metrics.jsonl").write_text(json.dumps(line) + "\n")
        if name in ends:
            (folder / "summary.json").write_text(json.dumps(ended | ends[name]))
    with flagsaver.flagsaver():
        compare_policies.main(command_line.parse_flags(["policies", "--links=binary"]))
    _, _, line = (tmp_path / "runs/policies/policies.md").read_text().splitlines()
    assert line.startswith(f"| {joint} × 1 | 50.00 | 1 | 2 |")
    maps = [path.name for path in (tmp_path / "runs/policies").glob("*.png")]
    assert maps == [f"{joint}.png"]


@pytest.mark.parametrize("clients", [3, 60])
def test_a_map_is_drawn(tmp_path, clients):
    column = list(range(clients))
    cell = {"x_m": column, "y_m": column, "scheduled": column, "heard": column}
    figures.cell_map(cell, tmp_path / "map.png", "a cell")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
