"""An experiment is a list of runs; a single run is a list of one."""

import json
import pathlib
import traceback
from typing import NamedTuple

from ml_collections import ConfigDict

from experiments import console, results, train, validate, workdir
from experiments.report import summary_table
from flq_jax.data import load
from flq_jax.data.dataset import Dataset


class Run(NamedTuple):
    """One run of an experiment.

    Attributes:
        name: its folder's, or empty for a single run.
        config: validated.
        dataset: what the config names.
        folder: its own, with its config.
    """

    name: str
    config: ConfigDict
    dataset: Dataset
    folder: pathlib.Path


def prepared(configs: dict[str, ConfigDict], folder: pathlib.Path) -> list[Run]:
    """Reads the data and makes the folders of all runs, before the first one starts.

    Raises:
        ConfigError: a config asks for more clients than examples, or a folder can't be
            written to or holds another config.
        DataError: a data set can't be read.
    """
    datasets, runs = {}, []
    for name, config in configs.items():
        where = config.data.name, config.data.dir
        if where not in datasets:
            datasets[where] = load(*where)
        validate.require_samples(config, len(datasets[where].train_labels))
        runs.append(Run(name, config, datasets[where], folder / name))
    for run in runs:
        workdir.prepare(run.folder, run.config)
    return runs


def run_all(runs: list[Run]) -> list[str]:
    """Runs one after another: finished ones are skipped, interrupted ones go on.

    A run that fails leaves its traceback in `failure.txt` and does not stop the others;
    a single run raises.

    Returns:
        The names of those that failed.
    """
    if len(runs) == 1:
        (run,) = runs
        console.summary_table(train.train(run.config, run.dataset, run.folder))
        return []
    failures = []
    for i, run in enumerate(runs):
        if finished(run):
            continue
        console.tell(f"{run.name} ({i + 1} of {len(runs)})")
        note = run.folder / "failure.txt"
        note.unlink(missing_ok=True)
        try:
            train.train(run.config, run.dataset, run.folder)
        except train.Interrupted:
            raise
        except Exception as error:  # noqa: BLE001 whatever it is, the others go on
            note.write_text(traceback.format_exc())
            console.tell(f"{run.name} failed: {error!r:.200}; see {note}")
            failures.append(run.name)
    folder = runs[0].folder.parent
    names = {run.name for run in runs}
    groups = results.grouped(r for r in results.read(folder) if r.name in names)
    if groups:
        console.table(summary_table(groups, 0.9))
    return failures


def finished(run: Run) -> bool:
    """Whether the run has done all the rounds that its config asks for."""
    path = run.folder / "summary.json"
    if not path.exists():
        return False
    summary = json.loads(path.read_text())
    return bool(summary["stopped"]) or summary["round"] >= run.config.rounds
