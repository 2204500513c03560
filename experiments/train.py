"""The host's loop around the jitted rounds: log, checkpoint, stop, resume."""

import math
import pathlib
import signal
import time
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from experiments import console, figures, ledger, radio, tensorboard
from experiments.build import Run, build
from experiments.checkpoints import Checkpoints
from experiments.chunk import Progress, advancing, measuring
from experiments.interrupt import Interrupt
from experiments.ledger import Ledger
from experiments.log import MetricsLog, write_json
from experiments.optimum import least_loss
from experiments.provenance import provenance
from flq_jax.data.dataset import Dataset


class Interrupted(Exception):
    """A signal ended the run early; what it had finished is in a checkpoint.

    Args:
        name: the signal's.
        rounds: finished rounds.
    """

    def __init__(self, name: str, rounds: int):
        super().__init__(f"{name}: stopped after round {rounds}, which is saved")
        self.status = 128 + signal.Signals[name]


def train(
    config: ConfigDict, dataset: Dataset, workdir: pathlib.Path
) -> dict[str, Any]:
    """Runs an experiment from where `workdir` has it to its end.

    Args:
        config: validated.
        dataset: what `config.data` names.
        workdir: the run's folder, holding this config and no other.

    Returns:
        The summary, as it is left in `summary.json`.

    Raises:
        Interrupted: SIGINT or SIGTERM came; the same call goes on from there.
    """
    begin = time.monotonic()
    run = build(config, dataset)
    checkpoints = Checkpoints(workdir / "checkpoints", console.tell)
    progress, rows, seconds = resumed(run, checkpoints)
    log = MetricsLog(workdir, rows)
    sinks = [log.write]
    if config.log.tensorboard:
        sinks.append(tensorboard.scalars(workdir, progress.rounds))
    wanted = not progress.stopped and progress.rounds < config.rounds
    advance = advancing(config, run, stop_at(config, run) if wanted else -math.inf)
    measure = measuring(config, run)
    with (
        Interrupt() as interrupt,
        console.progress(workdir.name, config.rounds, progress.rounds) as show,
    ):
        while wanted and not interrupt.requested:
            progress = advance(progress)
            row = measure(progress)
            if row["train_loss"] is None:
                progress = progress._replace(stopped="diverged: the loss is not finite")
            for sink in (*sinks, show):
                sink(row)
            wanted = not progress.stopped and progress.rounds < config.rounds
            due = progress.rounds % config.log.checkpoint_every == 0
            if due or not wanted or interrupt.requested:
                spent = seconds + time.monotonic() - begin
                checkpoints.save(
                    progress.rounds, progress.state, note(progress, log.rows, spent)
                )
    checkpoints.close()
    if wanted:
        raise Interrupted(interrupt.requested, progress.rounds)
    spent = seconds + time.monotonic() - begin
    summary = summarize(config, run, dataset, progress, log.rows[-1], spent)
    summary = {"name": workdir.name, **summary}
    figures.curves(log.rows, workdir / "figures", workdir.name)
    write_json(workdir / "summary.json", summary)
    return summary


def note(progress: Progress, rows: list, seconds: float) -> dict[str, Any]:
    """What a checkpoint holds beside the state, in JSON."""
    kept = progress._asdict()
    del kept["state"]
    kept["ledger"] = progress.ledger._asdict()
    return {"progress": kept, "rows": rows, "seconds": seconds}


def resumed(run: Run, checkpoints: Checkpoints) -> tuple[Progress, list, float]:
    """Where the run stands on disk: (progress, metrics rows, seconds spent)."""
    found = checkpoints.restore(like=run.state)
    if found is None:
        return Progress(0, run.state), [], 0.0
    rounds, state, kept = found
    console.tell(f"resuming after round {rounds}")
    fields = kept["progress"] | {"ledger": Ledger(**kept["progress"]["ledger"])}
    return Progress(state=state, **fields), kept["rows"], kept["seconds"]


def stop_at(config: ConfigDict, run: Run) -> float:
    """The loss at which the run stops: f* + residual, or minus infinity."""
    if not config.stop.residual:
        return -math.inf
    optimum = config.stop.optimum or least_loss(run)
    console.tell(f"f* = {optimum:.9f}; stops at f - f* <= {config.stop.residual:g}")
    return optimum + config.stop.residual


def clients_of_a_cell(
    config: ConfigDict, run: Run, progress: Progress
) -> dict[str, Any]:
    """Where the clients of a cell are, and what each has done."""
    if config.network.name != "cell":
        return {}
    state = progress.state.network
    return {"cell": radio.summary(config.network, run.root, state)}


def summarize(
    config: ConfigDict,
    run: Run,
    dataset: Dataset,
    progress: Progress,
    last_row: dict[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """The end of a run: its figures, counted in every way, and where they are from."""
    return {
        **last_row,
        "stopped": progress.stopped,
        "parameters": run.state.params.size,
        "accounting": config.accounting.to_dict(),
        "bits": ledger.every_convention(progress.ledger, run.links),
        "wall_seconds": round(seconds, 3),
        "data": {
            "name": dataset.name,
            "classes": dataset.num_classes,
            "sha256": dataset.digest,
        },
        "partition": {
            "sizes": np.asarray(run.partition.sizes).tolist(),
            "sha256": run.partition.digest,
        },
        **clients_of_a_cell(config, run, progress),
        **provenance(),
    }
