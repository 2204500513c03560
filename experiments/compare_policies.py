"""Radio policies side by side: every policy, link, number of clients and seed.

    python -m experiments.compare_policies --seeds=5
    python -m experiments.report --workdir=runs/policies --targets=0.88

Each run has a folder of its own in --workdir (default: runs/policies), and one that is
finished is not run again: the same command goes on where it was interrupted, and a
longer list of anything adds runs. Seeds share a compiled program. At the end stand
`policies.md`, with costs at equal rounds and accuracies at equal time and energy, and a
map of the cell for each policy. Both are of the runs that the command names, whatever
else the folder holds.
"""

import importlib
import itertools
import pathlib
import sys
from collections.abc import Container, Iterable, Iterator

from absl import app, flags, logging
from ml_collections import ConfigDict

from flq_jax.configs import wireless_joint
from flq_jax.data import DataError
from flq_jax.expressions.nearest import did_you_mean

from .engine import sweep
from .options import command_line, shipped, validation
from .process import signals, surroundings, typed
from .process.console import tell, told
from .process.errors import ConfigError, one_line_errors
from .process.whole_files import replace
from .reading import digits, figures, grouping, results
from .reading.formats import markdown
from .reading.grouping import Group
from .reading.results import Result

_POLICIES = flags.DEFINE_list("policies", ["joint", "equal"], "Configs wireless_NAME.")
_LINKS = flags.DEFINE_list(
    "links", ["binary", "8bit", "float"], "Uplinks: binary, 8bit, float, adaptive."
)
_CLIENTS = flags.DEFINE_list("populations", ["15"], "Numbers of clients: 15, 50, 500.")
_PARTITIONS = flags.DEFINE_list("partitions", ["iid"], "iid, dirichlet (alpha 0.1).")
_ROUNDS = flags.DEFINE_integer("rounds", 400, "Rounds of each run.", 1)
_SEEDS = flags.DEFINE_integer("seeds", 5, "Seeds 0, 1, ... of each.", 1)
_TARGET = flags.DEFINE_float(
    "target", 0.88, "Test accuracy whose costs are told.", 0.0, 1.0
)

LINKS = {
    "binary": "innovation(sign())",
    "8bit": "innovation(uniform(8))",
    "float": "innovation(identity())",
    "adaptive": wireless_joint.get_config().uplink,
}
SPLITS = {
    "contiguous": "contiguous()",
    "iid": "iid()",
    "shards": "shards()",
    "dirichlet": "dirichlet(alpha=0.1)",
    "quantity_skew": "quantity_skew(alpha=0.1)",
}
BLOCKS = {15: 6, 50: 12, 500: 24}
_PREFIX = "wireless_"
POLICIES = [
    name.removeprefix(_PREFIX) for name in shipped.names() if name.startswith(_PREFIX)
]


def configs(
    *,
    seeds: int,
    clients: Iterable[int],
    partitions: Iterable[str],
    links: Iterable[str],
    policies: Iterable[str],
    rounds: int,
) -> Iterator[tuple[str, ConfigDict]]:
    """(folder, config) of every run, all policies and links of one seed first.

    Args:
        seeds: 0 to seeds - 1.
        clients: of `BLOCKS`.
        partitions: of `SPLITS`.
        links: of `LINKS`.
        policies: of `configs/wireless_*.py`.
        rounds: of each run.
    """
    axes = range(seeds), clients, partitions, links, policies
    for seed, num, partition, link, policy in itertools.product(*axes):
        config = importlib.import_module(
            f"flq_jax.configs.wireless_{policy}"
        ).get_config()
        config.seed, config.clients, config.rounds = seed, num, rounds
        config.split, config.uplink = SPLITS[partition], LINKS[link]
        config.cell.blocks = config.let.scheduled = BLOCKS[num]
        config.log.every, config.log.checkpoint_every = 20, 200
        yield f"{num}-{partition}-{policy}-{link}-seed{seed}", config


def wanted() -> dict[str, ConfigDict]:
    """The runs of the command line, folder -> config.

    Raises:
        ConfigError: a list is empty or has an entry that there is not.
    """
    axes = {
        "clients": list(map(int, chosen(_CLIENTS, map(str, BLOCKS)))),
        "partitions": chosen(_PARTITIONS, SPLITS),
        "links": chosen(_LINKS, LINKS),
        "policies": chosen(_POLICIES, POLICIES),
    }
    return dict(configs(seeds=_SEEDS.value, rounds=_ROUNDS.value, **axes))


def chosen(flag: flags.FlagHolder[list[str]], there: Iterable[str]) -> list[str]:
    """The flag's entries; `ConfigError` unless there are some, all of what is there."""
    there = list(there)
    for entry in flag.value or [""]:
        if entry not in there:
            raise ConfigError(
                f"--{flag.name}: must be of {', '.join(there)}, got {entry!r}"
                f"{did_you_mean(entry, there)}"
            )
    return flag.value


@one_line_errors(OSError)
def main(argv: list[str]) -> None:
    """Runs what is not there yet, then writes the table and the maps."""
    del argv
    logging.set_verbosity(logging.WARNING)
    folder = command_line.workdir("policies")
    with one_line_errors(DataError):
        command_line.refuse_all_but("workdir")
        asked = wanted()
        for config in asked.values():
            validation.validate(config)
        surroundings.pin()
        surroundings.require_devices()
        runs = sweep.prepared(asked, folder)
    with signals.ending(typed.command()), one_line_errors():
        failures = sweep.run_all(runs)
    groups = finished(folder, asked)
    table = markdown(compared(groups, _TARGET.value))
    replace(folder / "policies.md", table)
    for group in groups:
        first = group.results[0]
        told(f"map of {first.name}", draw)(first, folder)
    tell(table)
    if failures:
        tell(f"{len(failures)} of {len(runs)} runs failed: {', '.join(failures)}")
        sys.exit(1)


def draw(run: Result, folder: pathlib.Path) -> None:
    """The map of a run's cell, `NAME.png`."""
    figures.cell_map(run.summary["cell"], folder / f"{run.name}.png", run.name)


def finished(folder: pathlib.Path, names: Container[str]) -> list[Group]:
    """The runs of these names in a folder, gathered; without groups that lack an end."""
    found = [run for run in results.read(folder) if run.name in names]
    groups = grouping.grouped(found)
    return [group for group in groups if all(run.summary for run in group.results)]


def compared(groups: list[Group], accuracy: float) -> list[list[str]]:
    """A header and a line a group: costs, and accuracies at equal time and energy.

    Equal is what the most frugal run among those of as many clients, the same partition
    and the same link has spent at its end: all of them got so far. Runs in which nobody
    ever sent anything set no budget.
    """
    header = ["runs", "test accuracy (%)", "seconds", "joules"]
    header += [f"{cost} to {100 * accuracy:g} %" for cost in ("seconds", "joules")]
    header += ["accuracy (%) at equal seconds", "at equal joules"]
    lines = [header]
    for group in groups:
        alike = [other for other in groups if _setting(other) == _setting(group)]
        peers = [run for other in alike for run in other.results]
        line = [f"{group.name} × {len(group.results)}"]
        line += [_percent([run.rows[-1]["test_accuracy"] for run in group.results])]
        for key in ("seconds", "joules"):
            line += [digits.plain([run.rows[-1][key] for run in group.results])]
        for key in ("seconds", "joules"):
            costs = [results.cost_to(run, accuracy, key) for run in group.results]
            line += [digits.plain(costs)]
        for key in ("seconds", "joules"):
            spent = [run.rows[-1][key] for run in peers if run.rows[-1]["uploads"]]
            budget = min(spent, default=0.0)
            line += [_percent([within(run.rows, key, budget) for run in group.results])]
        lines.append(line)
    return lines


def within(rows: list[dict], key: str, budget: float) -> float | None:
    """The test accuracy when `key` last was within the budget; None if it never was."""
    reached = [row["test_accuracy"] for row in rows if row[key] <= budget]
    return reached[-1] if reached else None


def _percent(accuracies: list[float | None]) -> str:
    percent = [None if value is None else 100 * value for value in accuracies]
    return digits.plain(percent, share=True)


def _setting(group: Group) -> tuple:
    same = "clients", "split", "uplink"
    return tuple(group.config[option] for option in same)


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parse_flags)
