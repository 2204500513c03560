"""Rounds of federations: clients together and as chosen, and seeds as one program."""

import functools
import itertools
import statistics

import jax
import numpy as np
from ml_collections import ConfigDict

from flq_jax import data
from flq_jax.configs import default, mnist_fedavg, mnist_flq_binary
from flq_jax.data.dataset import Dataset, make_dataset
from flq_jax.experiments.assembly.build import Run, build

from ..products import round_examples, round_operations
from ..rounds import chunk_seconds, rounds_of
from .measure import Works, measured

BATCH, CHUNKS = 50, 4
SEEDS = (1, 4, 16, 64)


@functools.cache
def digits(small: bool) -> Dataset:
    """MNIST, or so many of its digits that a rehearsal is short."""
    whole = data.load("mnist")
    if not small:
        return whole
    train, test = (leaf[:400] for leaf in whole[:2]), (leaf[:40] for leaf in whole[2:4])
    return make_dataset("mnist", *train, *test, num_classes=10)


def links(clients: int) -> dict[str, ConfigDict]:
    """One-bit innovations of a light and of a heavier model, and QSGD."""
    light, heavy = (mnist_flq_binary.get_config() for _ in range(2))
    heavy.model, qsgd = "MLP((200,))", default.get_config()
    qsgd.uplink = "direct(stochastic(127))"
    configs = {"FLQ 1 bit, softmax": light, "FLQ 1 bit, MLP": heavy, "QSGD": qsgd}
    for config in configs.values():
        config.clients, config.client = clients, f"gradient(batch={BATCH})"
    return configs


def averaged(small: bool) -> ConfigDict:
    """FedAvg of the CNN with 1.66 M parameters, 100 clients at work: an epoch each."""
    config = mnist_fedavg.get_config()
    config.clients, config.network = 100, "everyone()"
    config.model = "mcmahan_cnn()"
    if small:
        config.clients, config.model = 4, "CNN((2,))"
    return config


def rounds(small: bool, ceiling: dict[str, float]) -> Works:
    """Each federation with its clients in the groups that are chosen, and all together."""
    clients, few = (8, 1) if small else (1000, 3)
    firsts = itertools.islice(links(clients).items(), few)
    works = {name: (config, 10) for name, config in firsts}
    works["FedAvg, CNN"] = averaged(small), 1
    for name, (config, count) in works.items():
        for way, at_once in {"chosen": 0, "together": config.clients}.items():
            grouped = config.copy_and_resolve_references()
            grouped.at_once = at_once
            work = f"{name}, {config.clients} clients, {way}"
            yield work, functools.partial(_timed, grouped, small, count, ceiling)


def _timed(config: ConfigDict, small: bool, count: int, ceiling) -> dict:
    dataset = digits(small)
    run = build(config, dataset)
    row = measured(rounds_of(run, count), count)
    return row | {"floor_us": floor_us(config, dataset, run, ceiling)}


def floor_us(
    config: ConfigDict, dataset: Dataset, run: Run, ceiling: dict[str, float]
) -> float:
    """What a round's gradients and bytes allow.

    The model and all that clients and server remember of one another is read and written
    once; and so is each client's own model, if it has one, in each of its steps.
    """
    kept = run.state._replace(downlink=(), network=())
    moved = 2 * sum(leaf.nbytes for leaf in jax.tree.leaves(kept))
    update = run.federation.local_update
    if update.own_model:
        steps = round_examples(config, run) / update.batch
        moved += 2 * run.state.params.nbytes * steps
    work = round_operations(dataset, config, run)
    return max(work / ceiling["f32"], moved / ceiling["bytes"])


def seeds(small: bool, ceiling: dict[str, float]) -> Works:
    """A round of ten clients under 1 to 64 seeds, which are one program."""
    every = 2 if small else 50

    def stacked(config, count):
        dataset, configs = digits(small), []
        for seed in range(count):
            alike = config.copy_and_resolve_references()
            alike.seed, alike.rounds, alike.log.every = seed, CHUNKS * every, every
            alike.log.checkpoint_every, alike.log.train_loss = CHUNKS * every, 0.0
            configs.append(alike)
        first, *later = itertools.islice(chunk_seconds(configs, dataset), CHUNKS)
        alone = floor_us(config, dataset, build(config, dataset), ceiling)
        us = statistics.median(later) / every * 1e6
        spread = float(np.max(later) / np.min(later))
        row = {"us": us, "spread": spread, "first_s": first, "floor_us": count * alone}
        return row | {"rounds_a_second_of_all": count / us * 1e6}

    few, counts = (1, (1, 2)) if small else (2, SEEDS)
    firsts = itertools.islice(links(10).items(), few)
    for (name, config), count in itertools.product(firsts, counts):
        yield f"{name}, {count} seeds", functools.partial(stacked, config, count)
