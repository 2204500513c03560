"""What a run leaves in its folder: log, checkpoints, figures, summary."""

import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from flq_jax import ledger, networks
from flq_jax.data.dataset import Dataset
from flq_jax.simulation.checkpoints import Checkpoints
from flq_jax.simulation.progress import Progress, from_note, judged_by, noted

from ..assembly.build import Run
from ..process import console, peers
from ..process.errors import ConfigError
from ..process.metric_text import words
from ..process.whole_files import write_json
from ..reading.run_files import ended
from . import beginning, tensorboard
from .checkpoints import restored
from .metrics import MetricsLog
from .provenance import NOT_RECORDED, provenance, since


class Job(NamedTuple):
    """A run that is asked for.

    Attributes:
        name: its folder's, or empty for a single run.
        config: validated.
        dataset: what the config names.
        folder: its own, with this config and no other.
    """

    name: str
    config: ConfigDict
    dataset: Dataset
    folder: pathlib.Path


class Record:
    """The folder of one run, from where it has the run to its end.

    The summary of a run that is to be prolonged is removed: it tells that all is done.
    A run that has its summary is left as it is: it was ended by who computed it.

    Args:
        job: what is asked for.
        run: what it builds.
        by_client: where it stands -> what the summary says of the clients.
    """

    def __init__(
        self,
        job: Job,
        run: Run,
        by_client: Callable[[Progress], dict[str, Any]] = lambda progress: {},
    ):
        self.job, self._run, self._by_client = job, run, by_client
        self._clients: dict[str, Any] = {}
        self._checkpoints = Checkpoints(job.folder / "checkpoints", console.tell)
        found = resumed(job, run, self._checkpoints)
        self.progress, rows, self._seconds, self._origin = found
        self._saved, self._ended = self.progress.rounds, None
        if not self.wanted:
            self._ended = ended(job.folder / "summary.json", self.progress.rounds)
        self._rows, self._sinks = list(rows), []
        if peers.first_of_us():
            if self.wanted:
                beginning.leave(job.folder, run)
                (job.folder / "summary.json").unlink(missing_ok=True)
            self._sinks.append(MetricsLog(job.folder, rows).write)
            if job.config.log.tensorboard:
                writer = tensorboard.scalars(job.folder, self.progress.rounds)
                self._sinks.append(console.told("tensorboard", writer))

    @property
    def wanted(self) -> bool:
        """Whether there is a further round to do."""
        return self.progress.wanted(self.job.config.rounds)

    @property
    def metrics(self) -> list[str]:
        """What the model is judged by."""
        return list(self._run.task.metrics)

    @property
    def row(self) -> dict[str, Any]:
        """The last line of the metrics file."""
        return self._rows[-1]

    def add(self, progress: Progress, row: dict[str, Any], seconds: float) -> None:
        """Takes down where the run stands, and leaves what is due.

        Args:
            progress: at the end of some rounds. Of a run that wanted none, it is the
                old one with another copy of the state.
            row: the line of the metrics file.
            seconds: what the rounds took.
        """
        if not self.wanted:
            self.progress = progress
            return
        progress = judged_by(progress, row)
        self._rows.append(row)
        for sink in self._sinks:
            sink(row)
        self.progress, self._seconds = progress, self._seconds + seconds
        if progress.rounds % self.job.config.log.checkpoint_every == 0:
            self.save()
        if not self.wanted:
            self.finish()

    def save(self) -> None:
        """Saves a checkpoint, unless there is one of this round; see `Checkpoints.save`."""
        if self._saved != self.progress.rounds:
            noted = note(self.progress, self._rows, self._seconds) | {
                "provenance": self._origin,
                "data_sha256": self.job.dataset.digest,
            }
            self._checkpoints.save(self.progress.rounds, self.progress.state, noted)
            self._saved = self.progress.rounds

    def close(self) -> None:
        """Waits until what was saved is on disk."""
        self._checkpoints.close()

    def finish(self) -> None:
        """Leaves the last checkpoint, the figures, the study and the summary.

        A figure or study that fails is told, and stops neither.
        """
        self.save()
        self.close()
        if self._ended:
            return
        console.told("clients", self._judge_clients)()  # on all processes together
        if not peers.first_of_us():
            return
        console.told("figures", self._draw)()
        console.told("study", self._study)()
        folder = self.job.folder
        write_json(folder / "summary.json", self.summary())  # last: all is done

    def _judge_clients(self) -> None:
        self._clients = self._by_client(self.progress)

    def _draw(self) -> None:
        from ..reading import figures  # Matplotlib, not before the first round

        folder = self.job.folder
        title = folder.absolute().name
        loss = words("train_loss", self.job.config.log.train_loss)
        figures.curves(self._rows, folder / "figures", title, self.metrics, loss)

    def _study(self) -> None:
        from ..reading import studies

        job, rounds = self.job, self.progress.rounds
        studies.write(job.config, job.dataset, job.folder / "figures", rounds)

    def summary(self) -> dict[str, Any]:
        """The end of a run: its figures, counted in every way, and where they are from.

        Of a run that had ended it is what was written then.
        """
        if self._ended:
            return self._ended
        job, run, progress = self.job, self._run, self.progress
        return {
            "name": job.folder.absolute().name,
            **self.row,
            "train_loss_share": job.config.log.train_loss,
            "stopped": progress.stopped,
            "metrics": beginning.directions(run.task),
            "parameters": num_params(run),
            "accounting": job.config.accounting.to_dict(),
            "bits": ledger.every_convention(progress.ledger, run.links),
            "wall_seconds": round(self._seconds, 3),
            "data": {
                "name": job.dataset.name,
                "classes": job.dataset.num_classes,
                "sha256": job.dataset.digest,
            },
            "partition": {
                "sizes": np.asarray(run.partition.sizes).tolist(),
                "sha256": run.partition.digest,
            },
            **self._clients,
            **clients_of_a_cell(job.config, run, progress),
            **self._origin,
        }


def num_params(run: Run) -> int:
    """How many the model has; what is broadcast may be more, as SCAFFOLD's."""
    unravel, model = run.federation.unravel, run.federation.local_update.model
    shapes = jax.eval_shape(lambda theta: model(unravel(theta)), run.state.params)
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def note(progress: Progress, rows: list, seconds: float) -> dict[str, Any]:
    """What a checkpoint holds beside the state, in JSON."""
    return {"progress": noted(progress), "rows": rows, "seconds": seconds}


def resumed(
    job: Job, run: Run, checkpoints: Checkpoints
) -> tuple[Progress, list, float, dict[str, Any]]:
    """Where the run stands on disk: (progress, metrics rows, seconds, provenance).

    Raises:
        ConfigError: its checkpoints are of another state, another version, or of other
            examples.
    """
    found = restored(checkpoints, run.federation.compressor, run.state)
    if found is None:
        return Progress(0, run.state), [], 0.0, since({}, provenance())
    rounds, state, kept = found
    console.tell(f"resuming after round {rounds}")
    here = job.dataset.digest
    if (there := kept.get("data_sha256", here)) != here:
        raise ConfigError(
            f"config.data: must be the examples that {job.folder} was begun with, "
            f"SHA-256 {there[:12]}..., got {here[:12]}..."
        )
    try:
        progress = from_note(kept["progress"], state)
    except ValueError as error:
        raise ConfigError(
            f"--workdir: the checkpoints of {job.folder} are another version's, which "
            f"{error}"
        ) from error
    origin = kept.get("provenance")
    if progress.wanted(job.config.rounds) or not origin:
        origin = since(origin or NOT_RECORDED, provenance())
    return progress, kept["rows"], kept["seconds"], origin


def clients_of_a_cell(
    config: ConfigDict, run: Run, progress: Progress
) -> dict[str, Any]:
    """Where the clients of a cell are, and what each has done."""
    if run.cell is None:
        return {}
    state = progress.state.network
    inner_m, radius_m = config.cell.inner_m, config.cell.radius_m
    where = networks.positions_m(run.root, config.clients, inner_m, radius_m)
    return {"cell": networks.summary(where, state)}
