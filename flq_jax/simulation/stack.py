"""Several runs as one program on the device, and their totals on the host."""

import functools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from flq_jax import federated
from flq_jax.data.clients import ClientData
from flq_jax.data.flat import Shards
from flq_jax.federated import Federation, State
from flq_jax.ledger import Links
from flq_jax.simulation import intervals
from flq_jax.simulation.evaluation import Judge, judged
from flq_jax.simulation.intervals import Piece
from flq_jax.simulation.progress import Progress, line


class Parts(NamedTuple):
    """What a run's programs are made of.

    Attributes:
        federation: what its rounds are made of.
        evaluate: see `evaluation`.
    """

    federation: Federation
    evaluate: Callable[..., tuple[jax.Array | None, dict[str, jax.Array]]]


class Stack(NamedTuple):
    """Runs of one program.

    Attributes:
        assemble: (key, data, a run's row of `arrays`) -> `Parts`, where they are traced.
        states: of each before the first round, as they lie on the devices.
        links: the layouts of each one's messages.
        roots: their keys, [r].
        shared: the clients' examples, if all runs have the same; otherwise None.
        data: otherwise these, leading axis [r].
        samples: what each one's train loss is of, leading axis [r]; None: all it has, see
            `sampled`.
        arrays: what else they differ in, a pytree with the leading axis [r].
        test: (inputs [n, ...], targets [n, ...]), everybody's.
        mesh: the devices that the clients are spread over.
        metrics: what the model is judged by, everybody's, see `totals`.
        costs: whether rounds cost seconds and joules.
    """

    assemble: Callable[[jax.Array, Shards, Any], Parts]
    states: list[State]
    links: list[Links]
    roots: jax.Array
    shared: Shards | None
    data: Shards | None
    samples: ClientData | None
    arrays: Any
    test: tuple[jax.Array, jax.Array]
    mesh: Mesh
    metrics: Mapping[str, Judge]
    costs: bool


def rows_of(trees: Sequence[Any]) -> Any:
    """The trees' leaves stacked, leading axis [r]."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def row(tree: Any, index: int) -> Any:
    """One of the trees that `rows_of` stacked."""
    return jax.tree.map(lambda leaf: leaf[index], tree)


def over_runs(
    stack: Stack, function: Callable[..., Any], vmapped: bool | None = None
) -> Callable[..., Any]:
    """A function of one run as one of all of them.

    The runs of a CPU go one after another in a loop within the program, each as it
    would alone: its cores are busy with the clients of one run, and several at once
    leave its caches (`python -m benchmarks.stack` has the figures). An accelerator
    takes all of them at once by `vmap`. Then sums may be taken in another order, as may
    those over several devices, and a run differs in the last bits from one alone.

    Args:
        stack: the runs.
        function: (parts, root, data, *rest) -> results, see `Parts`.
        vmapped: whether all are computed at once; None: as suits the device.

    Returns:
        ((shared, roots, data, arrays) of the stack, *rest) -> results; `rest` and the
        results with the leading axis [r].
    """
    if vmapped is None:
        vmapped = jax.default_backend() != "cpu"

    def mapped(given, *rest):
        shared, *each = given

        def one(its):
            (root, data, arrays), *rest = its
            data = data if shared is None else shared
            return function(stack.assemble(root, data, arrays), root, data, *rest)

        if len(stack.links) == 1:
            return rows_of([one(row((each, *rest), 0))])
        return (jax.vmap(one) if vmapped else partial(jax.lax.map, one))((each, *rest))

    return mapped


def _given(stack: Stack) -> tuple:
    return stack.shared, stack.roots, stack.data, stack.arrays


def advancing(
    stack: Stack,
    wanted: Sequence[int],
    every: int,
    targets: Sequence[float],
    why: Sequence[str],
    vmapped: bool | None = None,
) -> Callable[[Sequence[Progress]], list[Progress]]:
    """Every run's progress -> the same at its next evaluation.

    Runs may stand at different rounds; one that wants no further round stays. It is one
    call on the device, or several where the figures of all the rounds between two
    evaluations would take more memory than `intervals` lets them.

    Args:
        stack: the runs.
        wanted: rounds that each is to have.
        every: so many rounds are between two evaluations.
        targets: the loss at which each one stops.
        why: what is said of each that it has stopped then.
        vmapped: see `over_runs`.
    """
    clients = (stack.shared or row(stack.data, 0)).sizes.shape[0]
    capacity = intervals.most_rounds(every, max(wanted), clients, len(wanted))
    # The states come out as they lie on the devices, lest the next call compile anew.
    lie = [jax.tree.map(lambda leaf: leaf.sharding, state) for state in stack.states]
    everywhere = NamedSharding(stack.mesh, PartitionSpec())

    def rounds_of_one(parts, root, data, state, start, count=None, target=None):
        step = functools.partial(federated.round_step, parts.federation, root, data)
        return federated.run_rounds(step, state, start, count, capacity, target)

    # With each run's first round, number of rounds and target; or with the first alone.
    @functools.partial(
        jax.jit, donate_argnames="states", out_shardings=(lie, *(everywhere,) * 3)
    )
    def rounds(given, states, *each):
        each_run = over_runs(stack, rounds_of_one, vmapped)
        states, *rest = each_run(given, rows_of(states), *each)
        return [row(states, i) for i in range(len(lie))], *rest

    def call(all_progress: Sequence[Progress], counts: Sequence[int]) -> list[Piece]:
        each = [np.array([progress.rounds for progress in all_progress], np.int32)]
        whole = intervals.of_known_length(stack.mesh, counts, capacity)
        if not whole or max(targets) > -np.inf:
            each += [np.array(counts, np.int32), np.array(targets, np.float32)]
        states, metrics, done, reached = rounds(
            _given(stack), [progress.state for progress in all_progress], *each
        )
        metrics, done, reached = jax.device_get((metrics, done, reached))
        return [
            Piece(state, row(metrics, i), int(done[i]), bool(reached[i]))
            for i, state in enumerate(states)
        ]

    def advance(all_progress: Sequence[Progress]) -> list[Progress]:
        ends = [
            intervals.next_evaluation(progress.rounds, every, last)
            for progress, last in zip(all_progress, wanted, strict=True)
        ]
        return intervals.advanced(call, all_progress, stack.links, ends, capacity, why)

    return advance


def measuring(
    stack: Stack,
    accounting: Sequence[Mapping[str, Any]],
    vmapped: bool | None = None,
) -> Callable[[Sequence[Progress]], list[dict[str, Any]]]:
    """Every run's progress -> its line of the metrics file.

    Args:
        stack: the runs.
        accounting: how each one's bits are counted, see `progress.line`.
        vmapped: see `over_runs`.
    """
    everywhere = NamedSharding(stack.mesh, PartitionSpec())

    @functools.partial(jax.jit, out_shardings=everywhere)
    def evaluate(given, states, rounds, samples, test):
        def one(parts, root, data, state, round_index, sample):
            data = data if sample is None else sample
            return parts.evaluate(root, state, round_index, data, *test)

        return over_runs(stack, one, vmapped)(given, rows_of(states), rounds, samples)

    def measure(all_progress: Sequence[Progress]) -> list[dict[str, Any]]:
        states = [progress.state for progress in all_progress]
        rounds = np.array([progress.rounds for progress in all_progress], np.int32)
        losses, sums = jax.device_get(
            evaluate(_given(stack), states, rounds, stack.samples, stack.test)
        )
        count = len(stack.test[1])
        sums = {name: sums[name] for name in stack.metrics}  # in their order
        return [
            line(
                progress,
                links,
                judged(row(losses, i), row(sums, i), count, stack.metrics),
                stack.costs,
                **each,
            )
            for i, (progress, links, each) in enumerate(
                zip(all_progress, stack.links, accounting, strict=True)
            )
        ]

    return measure
