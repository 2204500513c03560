"""The comparison of policies, by hand, and the maps."""

import pytest

from experiments import figures, policies, validate
from experiments.results import Group, Result


def group(name, *runs, quantizer="sign"):
    """A group of runs, each a list of (accuracy, seconds, joules)."""
    config = {"clients": 15, "data.partition": "iid"}
    config["compressor.quantizer"] = quantizer
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
    header, fast, frugal = policies.compared([FAST, FRUGAL], 0.85)
    assert len(header) == len(fast) == len(frugal)
    assert fast[0] == "fast × 2" and frugal[0] == "frugal × 1"
    # 90 % is reached by one of the fast runs, at 2 s and 16 J.
    assert fast[4:6] == ["2 (1 of 2)", "16 (1 of 2)"]
    assert frugal[4:6] == ["6", "2"]
    # All spent 2 s or more, and 2 J or more.
    assert fast[6].startswith("85.00") and frugal[6] == "never"
    assert fast[7] == "never" and frugal[7] == "90.00"


def test_another_link_sets_no_budget():
    floats = group("floats", [(0.3, 0.1, 0.1)], quantizer="identity")
    both = policies.compared([FAST, FRUGAL], 0.85)
    assert policies.compared([FAST, FRUGAL, floats], 0.85)[:3] == both
    assert policies.compared([floats], 0.85)[1][6:] == ["30.00", "30.00"]


def test_who_never_sends_sets_no_budget():
    silent = group("silent", [(0.1, 0.0, 0.0)])
    both = policies.compared([FAST, FRUGAL], 0.85)
    assert policies.compared([FAST, FRUGAL, silent], 0.85)[:3] == both
    assert policies.compared([silent], 0.85)[1][6:] == ["10.00", "10.00"]


def test_what_is_within_a_budget_is_the_last_of_it():
    rows = FAST.results[0].rows
    assert policies.within(rows, "seconds", 1.5) == 0.5
    assert policies.within(rows, "seconds", 2.0) == 0.9
    assert policies.within(rows, "seconds", 0.5) is None


def test_every_policy_link_and_size_is_a_valid_run_of_its_own():
    names = "joint", "equal", "bits_budget", "longest_lived"
    axes = {
        "clients": policies.BLOCKS,
        "partitions": ("iid", "dirichlet"),
        "links": policies.LINKS,
        "policies": names,
    }
    found = dict(policies.configs(seeds=2, rounds=40, **axes))
    assert len(found) == 2 * 3 * 2 * 4 * len(names)
    for config in found.values():
        validate.validate(config)
    one = found["50-dirichlet-equal-8bit-seed1"]
    assert (one.seed, one.clients, one.network.blocks) == (1, 50, 12)


@pytest.mark.parametrize("clients", [3, 60])
def test_a_map_is_drawn(tmp_path, clients):
    column = list(range(clients))
    cell = {"x_m": column, "y_m": column, "scheduled": column, "heard": column}
    figures.cell_map(cell, tmp_path / "map.png", "a cell")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
