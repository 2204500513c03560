"""What the model is to each client at a run's end."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from flq_jax.data.dataset import Dataset
from flq_jax.simulation import start
from flq_jax.simulation.by_client import over_clients, sums_by_client
from flq_jax.simulation.progress import Progress
from flq_jax.simulation.stack import Stack, row

from ..assembly.build import Run, split
from ..folder.record import Job


def judging(
    stack: Stack, jobs: Sequence[Job], runs: Sequence[Run]
) -> Callable[[int, Progress], dict[str, Any]]:
    """(which run, where it stands) -> {"clients": its first metric over them}.

    It is that of their own test examples where each client is a user who may have some,
    and of their training examples otherwise. It is compiled when first asked for.

    Args:
        stack: of the runs.
        jobs: what is asked for.
        runs: what was built for it.
    """
    name, metric = next(iter(stack.metrics.items()))

    @partial(jax.jit, out_shardings=NamedSharding(stack.mesh, PartitionSpec()))
    def sums(given, index, state, round_index, test):
        shared, *each = given
        root, data, arrays = row(each, index)
        data = data if shared is None else shared
        federation = stack.assemble(root, data, arrays).federation
        find = sums_by_client(federation, metric, stack.mesh)
        return find(root, state, round_index, test or data)

    def judge(index: int, progress: Progress) -> dict[str, Any]:
        job, test = jobs[index], None
        sizes = runs[index].partition.sizes
        rows = rows_of_tests(job.dataset, split(job.config, job.dataset))
        if rows is not None:
            sizes = [len(part) for part in rows]
            arrays = job.dataset.test_inputs, job.dataset.test_labels
            test = start.spread(*arrays, rows, stack.mesh, batch=1, longest=max(sizes))
        given = stack.shared, stack.roots, stack.data, stack.arrays
        found = sums(given, index, progress.state, np.int32(progress.rounds), test)
        figures = over_clients(metric, jax.device_get(found), sizes)._asdict()
        examples = "train" if test is None else "test"
        about = {"metric": name.removeprefix("test_"), "examples": examples}
        return {"clients": about | figures}

    return judge


def rows_of_tests(
    dataset: Dataset, parts: Sequence[np.ndarray]
) -> list[np.ndarray] | None:
    """The test examples of each client, if each is one user; None if not, or of none.

    Args:
        dataset: perhaps with users.
        parts: the training examples of each client.
    """
    if dataset.test_users is None:
        return None
    owners = [np.unique(dataset.train_users[part]) for part in parts]
    if any(len(users) != 1 for users in owners):
        return None
    rows = [np.flatnonzero(dataset.test_users == user) for (user,) in owners]
    return rows if any(map(len, rows)) else None
