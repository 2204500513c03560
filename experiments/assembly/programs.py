"""What a run's programs are made of, from its expressions and the arrays it works on."""

import ast
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
from jax.sharding import PartitionSpec as P

from flq_jax import federated, models, networks
from flq_jax.data.flat import Shards
from flq_jax.federated import Federation
from flq_jax.simulation.evaluation import evaluation, totals
from flq_jax.simulation.parts import downlink_of, federation_of, uplink_of
from flq_jax.tasks import Task
from flq_jax.wireless.cell import Cell

from ..options.parts import Trees
from .composition import blaming, made
from .setting import Setting, lengths, sent_shapes


class Arrays(NamedTuple):
    """What runs of one program may differ in, beside the state; a leaf may be traced.

    Attributes:
        root: the run's key.
        data: the clients' examples, on their devices.
        cell: where the clients are and what they have, or None without a cell.
        numbers: what the names for numbers in its expressions stand for.
        runs: of the program: they share the device's memory.
    """

    root: jax.Array
    data: Shards
    cell: Cell | None
    numbers: Mapping[str, float | jax.Array]
    runs: int = 1


class Parts(NamedTuple):
    """What a run's programs are made of.

    Attributes:
        federation: what its rounds are made of.
        task: what it is to learn.
        evaluate: (root, state, round index i32[], data, test inputs, test targets) ->
            (train loss f32[] of `data`, each metric summed over the test examples) of the
            model as the clients will hear it in that round, see `evaluation`.
    """

    federation: Federation
    task: Task
    evaluate: Callable[..., tuple[jax.Array | None, dict[str, jax.Array]]]


def assembled(setting: Setting, parts: Trees, arrays: Arrays) -> Parts:
    """The parts of a run's programs; `ConfigError` if they don't make a federation.

    Args:
        setting: what they are made for.
        parts: their expressions.
        arrays: what the run works on.
    """
    config, values = setting.config, {**setting.values, **arrays.numbers}
    step = step_of(parts, values)
    task = made(parts, "task", values)
    values |= {"loss": task.loss}
    found = {"client": made(parts, "client", values)}
    # Messages are shaped like what is broadcast.
    values |= lengths(sent_shapes(found["client"], setting.shapes))
    found |= {name: made(parts, name, values) for name in (*LINKS[1:], *SERVER)}
    with blaming(parts, "uplink"):
        found["uplink"] = uplink_of(found["uplink"])
        found["uplink"].layout(values["d"])
    with blaming(parts, "downlink"):
        found["downlink"] = downlink_of(found["downlink"])
        found["downlink"].compressor.layout(values["d"])
    with blaming(parts, "server"):
        server = found["server"]
        jax.eval_shape(lambda x: server.update(x, server.init(x), x), setting.shapes)
    if arrays.cell is not None:
        _, *shape = setting.example.shape
        layers = models.layer_costs(setting.model, shape, setting.example.dtype)
        links, rate = [found[n] for n in LINKS], config.cell.bit_operations_a_cycle
        work = networks.work(layers, values["d"], *links, arrays.data.sizes, rate)
        values |= {"place": arrays.cell, "work": work}
    grouping = None
    if config.at_once:
        grouping = federated.in_groups(config.at_once, setting.mesh)
    with blaming(parts):
        federation = federation_of(
            setting.shapes,
            clients=config.clients,
            mesh=setting.mesh,
            network=made(parts, "network", values),
            grouping=grouping,
            sizes=setting.shares,
            runs=arrays.runs,
            step=step,
            **found,
        )
    judge = judging(setting, parts, values)
    evaluate = evaluation(federation, task.loss, judge, setting.mesh)
    return Parts(federation, task, evaluate)


LINKS = "client", "uplink", "downlink"
SERVER = "server", "aggregate"


def step_of(parts: Trees, values: Mapping[str, Any]) -> float | jax.Array:
    """The server's step; where runs differ in it, what stands for it in their program."""
    match parts["step"]:
        case ast.Name(name) if isinstance(values.get(name), jax.Array):
            return values[name]
    return made(parts, "step", values)


def judging(setting: Setting, parts: Trees, values: Mapping[str, Any]) -> Callable:
    """What the model is judged by: the task's metrics, of packed integers if asked for."""
    if not setting.config.packed:
        return totals(made(parts, "task", values).metrics, setting.mesh)
    tested = setting.model.clone(packed=True)
    judge = totals(made(parts, "task", {**values, "model": tested}).metrics)
    # XLA cannot spread a TPU's own kernels over devices.
    return jax.shard_map(
        judge, mesh=setting.mesh, in_specs=P(), out_specs=P(), check_vma=False
    )
