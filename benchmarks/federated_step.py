"""Rounds per second of the federated step, beside one big batch and NumPy by hand.

    python -m benchmarks.federated_step [--clients=10,100,1000]
        [--models=logistic,mlp,fedavg]

MNIST, 50 examples a client and round. `plain` sends floats; `1-bit` and `8-bit` are
FLQ's links: lazy innovations, 8-bit broadcast, exact counts; `stochastic` is QSGD's with
its random numbers; `bare` has each client's gradient and their mean, no message and no
count, which is the least that a round can take; `one batch` is one gradient of all the
clients' examples; `flax batch` the same through flax's own `Dense`; `numpy` is the plain
round by hand, clients stacked, and `numpy stochastic` that with QSGD's rounding. `fedavg` is
configs/mnist_fedavg.py: an epoch of batches of 20 on 10 of 100 clients, with NumPy one
client after the other. `products` is the machine's floor: the gradients' operations at
the rate of large products. FLQ_JAX_KEEP_MEMORY=1 is for all of them, see
`experiments.process.malloc`.
"""

import functools
import statistics
from collections.abc import Callable
from itertools import pairwise

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
from flq_jax.configs import default, mnist_fedavg, mnist_flq_binary
from flq_jax.data.dataset import Dataset
from flq_jax.experiments.assembly.build import Run, build
from flq_jax.experiments.process import malloc

from .products import products, round_operations
from .timing import interleaved, median_ratio

_CLIENTS = flags.DEFINE_list("clients", ["10", "100", "1000"], "Numbers of clients.")
_MODELS = flags.DEFINE_list("models", ["logistic", "mlp", "fedavg"], "What is run.")
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


def bare_mean(run: Run, clients: int, count: int):
    """Each client's gradient and SGD on their mean, clients in the step's own groups."""
    federation, share = run.federation, np.float32(1 / clients)

    @jax.jit
    def chunk(theta, root, data):
        def step(theta, k):
            params = federation.unravel(theta)

            def client(index, shard):
                key = jax.random.fold_in(jax.random.fold_in(root, k), index)
                return federation.local_update.update(key, params, shard, ())[1]

            def group(indices, shards):
                grads = jax.vmap(client)(indices, shards)
                weights = jnp.full(len(indices), share)
                return jax.tree.map(lambda g: jnp.tensordot(weights, g, 1)[None], grads)

            parts = federation.grouping(group)(jnp.arange(clients), data)
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


def numpy_rounds(
    dataset: Dataset, hidden: bool, clients: int, count: int, levels: int = 0
):
    """Per-client gradients and their mean in NumPy, clients stacked; one round a call.

    With `levels`, each client's gradient of a layer is rounded at random (QSGD).
    """
    rng = np.random.default_rng(0)
    share = len(dataset.train_labels) // clients
    inputs = dataset.train_inputs.reshape(-1, 784)
    sizes = (784, HIDDEN, 10) if hidden else (784, 10)
    layers = [
        rng.normal(0, 0.05, (a, b)).astype(np.float32) for a, b in pairwise(sizes)
    ]
    biases = [np.zeros(b, np.float32) for b in sizes[1:]]

    def heard(grads):
        if not levels:
            return grads
        axes = tuple(range(1, grads.ndim))
        norm = np.sqrt(np.sum(grads * grads, axis=axes, keepdims=True))
        position = grads * (np.float32(levels) / norm)
        position += rng.random(grads.shape, np.float32)
        codes = np.floor(position).astype(np.int8)
        return codes.astype(np.float32) * (norm / np.float32(levels))

    def one_round():
        rows = rng.integers(0, share, (clients, BATCH))
        rows += share * np.arange(clients)[:, None]
        x = inputs[rows].astype(np.float32) * np.float32(1 / 255)
        acts = [x]
        for i, (w, b) in enumerate(zip(layers, biases)):
            z = acts[-1] @ w + b
            acts.append(np.maximum(z, 0) if i + 1 < len(layers) else z)
        z = acts.pop()
        p = np.exp(z - z.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        p[
            np.arange(clients)[:, None], np.arange(BATCH), dataset.train_labels[rows]
        ] -= 1
        delta = p / np.float32(BATCH)
        for i in reversed(range(len(layers))):
            grads = heard(acts[i].transpose(0, 2, 1) @ delta)
            bias_grads = heard(delta.sum(1))
            if i:
                delta = (delta @ layers[i].T) * (acts[i] > 0)
            layers[i] -= 0.2 * (grads.mean(0) + 0.01 * layers[i])
            biases[i] -= 0.2 * (bias_grads.mean(0) + 0.01 * biases[i])

    return lambda: [one_round() for _ in range(count)]


def numpy_fedavg(dataset: Dataset, config: ConfigDict, count: int):
    """FedAvg in NumPy: one client after the other, one round a call."""
    rng = np.random.default_rng(0)
    inputs = dataset.train_inputs.reshape(-1, 784).astype(np.float32) / np.float32(255)
    shards = np.split(rng.permutation(len(inputs)), config.clients)
    sizes = (784, 200, 200, 10)  # of the config's model, as are the numbers below
    model = [
        [rng.normal(0, 0.05, (a, b)).astype(np.float32), np.zeros(b, np.float32)]
        for a, b in pairwise(sizes)
    ]

    def sgd_step(local, x, labels):
        acts = [x]
        for i, (w, b) in enumerate(local):
            z = acts[-1] @ w + b
            acts.append(np.maximum(z, 0) if i + 1 < len(local) else z)
        z = acts.pop()
        delta = np.exp(z - z.max(-1, keepdims=True))
        delta /= delta.sum(-1, keepdims=True)
        delta[np.arange(len(labels)), labels] -= 1
        delta /= np.float32(len(labels))
        for i in reversed(range(len(local))):
            grads = acts[i].T @ delta, delta.sum(0)
            if i:
                delta = (delta @ local[i][0].T) * (acts[i] > 0)
            for leaf, grad in zip(local[i], grads):
                leaf -= np.float32(config.let.rate) * grad

    def one_round():
        total = [[np.zeros_like(leaf) for leaf in layer] for layer in model]
        for m in rng.choice(config.clients, SAMPLED, replace=False):
            local = [[leaf.copy() for leaf in layer] for layer in model]
            rows = rng.permutation(shards[m])
            for start in range(0, len(rows), config.let.batch):
                chosen = rows[start : start + config.let.batch]
                sgd_step(local, inputs[chosen], dataset.train_labels[chosen])
            for sums, layer in zip(total, local):
                for kept, leaf in zip(sums, layer):
                    kept += leaf / np.float32(SAMPLED)
        model[:] = total

    return lambda: [one_round() for _ in range(count)]


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
    functions["numpy"] = numpy_rounds(dataset, hidden, clients, count)
    functions["numpy stochastic"] = numpy_rounds(dataset, hidden, clients, count, 127)
    return per_round(functions, count)


def measure_fedavg(dataset: Dataset, count: int = 10) -> dict[str, list[float]]:
    """Seconds a round of FedAvg."""
    config = mnist_fedavg.get_config()
    run = build(config, dataset)
    return per_round(
        {
            "plain": rounds_of(run, count),
            "numpy": numpy_fedavg(dataset, config, count),
            "products": products(count * round_operations(dataset, config, run)),
        },
        count,
    )


def per_round(functions: dict[str, Callable], count: int) -> dict[str, list[float]]:
    """Seconds a round of functions that do `count` of them a call."""
    seconds = interleaved(functions)
    return {name: [s / count for s in calls] for name, calls in seconds.items()}


def main(argv: list[str]) -> None:
    """Prints rounds per second, and how many times as long as `plain` each takes."""
    del argv
    kept = ", freed memory kept" if malloc.keep() else ""
    dataset = data.load("mnist")
    title = f"rounds/s (time relative to plain){kept}"
    table = Table(title=title, title_justify="left")
    for column in ("model", "clients", *links(), *RIVALS):
        table.add_column(column, justify="right")

    def add(model, clients, seconds):
        cells = [
            f"{1 / statistics.median(seconds[name]):.0f} "
            f"({median_ratio(seconds[name], seconds['plain']):.2f})"
            if name in seconds
            else ""
            for name in (*links(), *RIVALS)
        ]
        table.add_row(model, clients, *cells)

    for model in _MODELS.value:
        if model == "fedavg":
            add(model, "10 of 100", measure_fedavg(dataset))
            continue
        for clients in map(int, _CLIENTS.value):
            add(model, str(clients), measure(dataset, model, clients))
    Console(width=175).print(table)


if __name__ == "__main__":
    app.run(main)
