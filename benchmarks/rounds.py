"""Compiled rounds of configs, to be timed: those of one run, or of several as one program."""

import functools
import math
import time
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from flq_jax import federated
from flq_jax.data.dataset import Dataset
from flq_jax.experiments.assembly.build import Run
from flq_jax.experiments.assembly.stacked_runs import looping, stacked
from flq_jax.simulation.progress import Progress


def rounds_of(run: Run, count: int) -> Callable[[], object]:
    """Runs `count` rounds in one call, on a state that goes on from call to call."""

    @functools.partial(jax.jit, donate_argnums=0)
    def chunk(state, root, data):
        step = functools.partial(federated.round_step, run.federation, root, data)
        return federated.run_rounds(step, state, jnp.int32(0), jnp.int32(count), count)

    box = [jax.tree.map(jnp.copy, run.state)]

    def call():
        box[0], metrics, *_ = chunk(box[0], run.root, run.data)
        return jax.block_until_ready(metrics)

    return call


def chunk_seconds(
    configs: list[ConfigDict], dataset: Dataset, vmapped: bool | None = None
) -> Iterator[float]:
    """Seconds of one chunk of rounds after the other, `config.log.every` of them each.

    The first counts from the configs on, compilation included; the last ends with
    their `rounds`.

    Args:
        configs: of runs that are alike.
        dataset: what they name.
        vmapped: see `over_runs`.
    """
    begin = time.perf_counter()
    stack, runs = stacked(configs, dataset)
    targets = [-math.inf] * len(configs)
    advance, measure = looping(stack, configs, targets, vmapped)
    progress = [Progress(0, run.state) for run in runs]
    while progress[0].wanted(configs[0].rounds):
        progress = advance(progress)
        measure(progress)
        yield time.perf_counter() - begin
        begin = time.perf_counter()
