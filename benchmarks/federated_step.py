"""Rounds per second of the federated step, beside one big batch and NumPy by hand.

    python -m benchmarks.federated_step [--clients=10,100,1000]
        [--models=logistic,mlp] [--workloads=softmax,mlp,fedavg,cnn]
        [--cpu_devices=1,2,4]

Two tables. The first is of links: MNIST, 50 examples a client and round. `plain` sends
floats; `1-bit` and `8-bit` are FLQ's links: lazy innovations, 8-bit broadcast, exact
counts; `stochastic` is QSGD's with its random numbers; `bare` has each client's gradient
and their mean, no message and no count, which is the least that a round can take; `one
batch` is one gradient of all the clients' examples; `flax batch` the same through flax's
own `Dense`; `numpy` is the plain round by hand, clients stacked, and `numpy stochastic`
that with QSGD's rounding. `products` is the machine's floor: the gradients' operations at
the rate of large products.

The second is of workloads, see `workloads`, floats on 1, 2 and 4 devices, which share
this machine's cores, beside the same by hand, see `peers`: torch on all threads, if it is
installed, NumPy on all threads, and one jitted call a client. `ours` is on as many devices
as there are cores, or on one if the round is light, and all else is relative to it: how
many times as fast ours is. FLQ_JAX_KEEP_MEMORY=1 is for all of them, see
`experiments.process.malloc`.
"""

import functools
import statistics
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from jax.flatten_util import ravel_pytree
from ml_collections import ConfigDict
from rich.console import Console
from rich.table import Table

from flq_jax import data, federated, models
from flq_jax.configs import default, mnist_flq_binary
from flq_jax.data.dataset import Dataset
from flq_jax.experiments.assembly.build import Run, build
from flq_jax.experiments.process import children, malloc

from . import peers
from .products import products, round_operations
from .rounds import rounds_of
from .timing import interleaved, median_ratio
from .workloads import WORKLOADS, Workload, ours

_CLIENTS = flags.DEFINE_list("clients", ["10", "100", "1000"], "Numbers of clients.")
_MODELS = flags.DEFINE_list("models", ["logistic", "mlp"], "What is run.")
_WORKLOADS = flags.DEFINE_list("workloads", [*WORKLOADS], "What is run beside peers.")
_DEVICES = flags.DEFINE_list("cpu_devices", ["1", "2", "4"], "Their numbers.")
BATCH = 50
ROUNDS = {"logistic": {10: 200, 100: 30, 1000: 4}, "mlp": {10: 50, 100: 10, 1000: 2}}
RIVALS = ("bare", "one batch", "flax batch", "numpy", "numpy stochastic", "products")
HIDDEN = 200
MODELS = {"logistic": "Logistic()", "mlp": f"MLP(({HIDDEN},))"}
SAMPLED = 10  # clients of a round of FedAvg


def links() -> dict[str, ConfigDict]:
    """The configs that are timed, by the name of their link."""
    plain, stochastic = default.get_config(), default.get_config()
    stochastic.uplink = "direct(stochastic(127))"
    one, eight = mnist_flq_binary.get_config(), mnist_flq_binary.get_config()
    eight.uplink = one.uplink.replace("sign()", "uniform(8)")
    return {"plain": plain, "1-bit": one, "8-bit": eight, "stochastic": stochastic}


def bare_mean(run: Run, clients: int, count: int):
    """Each client's gradient and SGD on their mean, clients in the step's own groups."""
    federation, share = run.federation, np.float32(1 / clients)

    @jax.jit
    def chunk(theta, root, data):
        def step(theta, k):
            def client(params, key, index, shard):
                key = jax.random.fold_in(key, index)
                return federation.local_update.update(key, params, shard, ())[1]

            def group(params, key, indices, shards):
                each = jax.vmap(client, (None, None, 0, 0))
                grads = each(params, key, indices, shards)
                weights = jnp.full(len(indices), share)
                return jax.tree.map(lambda g: jnp.tensordot(weights, g, 1)[None], grads)

            told = federation.unravel(theta), jax.random.fold_in(root, k)
            parts = federation.grouping(group, *told)(jnp.arange(clients), data)
            mean, _ = ravel_pytree(jax.tree.map(lambda part: part.sum(0), parts))
            return theta - 0.2 * mean, None

        return jax.lax.scan(step, theta, jnp.arange(count))[0]

    return lambda: jax.block_until_ready(chunk(run.state.params, run.root, run.data))


def one_batch(run: Run, loss, params, clients: int, count: int):
    """The same examples as one client's, and SGD on their gradient."""
    flat = [leaf.reshape(1, -1, *leaf.shape[2:]) for leaf in run.data[:2]]
    pooled = data.ClientData(*flat, jnp.full(1, flat[1].shape[1], jnp.int32))
    update = federated.gradient(loss, clients * BATCH).update
    theta, unravel = ravel_pytree(params)

    @jax.jit
    def chunk(theta, root, pooled):
        shard = jax.tree.map(lambda leaf: leaf[0], pooled)

        def step(theta, k):
            key = jax.random.fold_in(root, k)
            _, grads, _ = update(key, unravel(theta), shard, ())
            return theta - 0.2 * ravel_pytree(grads)[0], None

        return jax.lax.scan(step, theta, jnp.arange(count))[0]

    return lambda: jax.block_until_ready(chunk(theta, run.root, pooled))


def flax_classifier(hidden: bool) -> nn.Module:
    """The same network of flax's own layers, whose kernels are [in, out]."""
    layers = [nn.Dense(HIDDEN), nn.relu] if hidden else []
    flat = [lambda x: x.reshape(x.shape[0], -1)]
    return nn.Sequential([*flat, *layers, nn.Dense(10)])


def measure(dataset: Dataset, model: str, clients: int) -> dict[str, list[float]]:
    """Seconds a round of each contestant."""
    count, hidden = ROUNDS[model].get(clients, 5), model == "mlp"
    functions = {}
    for name, config in links().items():
        config.clients, config.client = clients, f"gradient(batch={BATCH})"
        config.model = MODELS[model]
        run = build(config, dataset)
        functions[name] = rounds_of(run, count)
        if name == "plain":
            functions["bare"] = bare_mean(run, clients, count)
            ours = run.federation.unravel(run.state.params)
            functions["one batch"] = one_batch(run, run.task.loss, ours, clients, count)
            net = flax_classifier(hidden)
            params = net.init(run.root, jnp.zeros((1, 28, 28)))["params"]
            loss = models.classification_loss(net, 0.01)
            functions["flax batch"] = one_batch(run, loss, params, clients, count)
            operations = round_operations(dataset, config, run)
            functions["products"] = products(count * operations)
    sizes = (784, HIDDEN, 10) if hidden else (784, 10)
    stacked = functools.partial(peers.numpy_stacked, dataset, sizes, clients, BATCH)
    functions["numpy"] = stacked(count)
    functions["numpy stochastic"] = stacked(count, levels=127)
    return per_round(functions, count)


def per_round(functions: dict[str, Callable], count: int) -> dict[str, list[float]]:
    """Seconds a round of functions that do `count` of them a call."""
    seconds = interleaved(functions)
    return {name: [s / count for s in calls] for name, calls in seconds.items()}


def measure_workload(dataset: Dataset, work: Workload) -> dict[str, list[float]]:
    """Seconds a round on each number of devices, of peers, and of the floor."""
    functions = {f"on {n}": ours(work, dataset, int(n)) for n in _DEVICES.value}
    if work.dense:
        functions["a call each"] = peers.a_call_each(work, dataset)
        functions["numpy"] = peers.numpy_by_hand(work, dataset)
    if peers.HAS_TORCH:
        functions["torch"] = peers.torch_by_hand(work, dataset)
    functions["products"] = products(work.rounds * work.operations)
    return per_round(functions, work.rounds)


def workload_table(dataset: Dataset) -> Table:
    """Rounds per second of the workloads, and how many times as fast ours is."""
    rivals = ("a call each", "numpy", "torch", "products")
    columns = (*(f"on {n}" for n in _DEVICES.value), *rivals)
    table = Table(title="rounds/s (ours relative to it)", title_justify="left")
    for column in ("workload", "ours", *columns):
        table.add_column(column, justify="right")
    for name in _WORKLOADS.value:
        work = WORKLOADS[name]
        seconds = measure_workload(dataset, work)
        here = 1 if work.light else len(children.cores_here())
        mine = f"on {here}" if f"on {here}" in seconds else f"on {_DEVICES.value[0]}"
        table.add_row(
            name,
            mine,
            *(
                f"{1 / statistics.median(seconds[c]):.3g} "
                f"({median_ratio(seconds[c], seconds[mine]):.2f})"
                if c in seconds
                else ""
                for c in columns
            ),
        )
    return table


def main(argv: list[str]) -> None:
    """Prints rounds per second, and how many times as long as `plain` each takes."""
    del argv
    jax.config.update("jax_num_cpu_devices", max(map(int, _DEVICES.value)))
    kept = ", freed memory kept" if malloc.keep() else ""
    dataset = data.load("mnist")
    title = f"rounds/s (time relative to plain){kept}"
    table = Table(title=title, title_justify="left")
    for column in ("model", "clients", *links(), *RIVALS):
        table.add_column(column, justify="right")
    for model in _MODELS.value:
        for clients in map(int, _CLIENTS.value):
            seconds = measure(dataset, model, clients)
            cells = [
                f"{1 / statistics.median(seconds[name]):.0f} "
                f"({median_ratio(seconds[name], seconds['plain']):.2f})"
                for name in (*links(), *RIVALS)
            ]
            table.add_row(model, str(clients), *cells)
    console = Console(width=175)
    if _MODELS.value:
        console.print(table)
    if _WORKLOADS.value:
        console.print(workload_table(dataset))


if __name__ == "__main__":
    app.run(main)
