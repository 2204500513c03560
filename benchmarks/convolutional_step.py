"""Rounds of convolutional networks beside the same work by flax's own layers.

    python -m benchmarks.convolutional_step [--networks=cnn,mcmahan_cnn]

`cnn` is configs/mnist_flq_cnn.py: ten clients, 50 examples each, an 8-bit broadcast.
`mcmahan_cnn` is configs/mnist_fedavg.py with the CNN of McMahan et al.: an epoch of
batches of 20 on 10 of 100 clients. Beside them stand `flax.linen`'s `Conv` and
`max_pool`, where they are fastest: outside any loop, a call of XLA a gradient. `flax
clients` takes one client after the other, `flax batch` one gradient of all the clients'
examples of a round. `products` is the machine's floor: the gradients' operations at the
rate of large products.
"""

import importlib
import statistics
from collections.abc import Callable, Iterator
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from ml_collections import ConfigDict
from rich.console import Console
from rich.table import Table

from flq_jax import data, models
from flq_jax.data.dataset import Dataset
from flq_jax.experiments.assembly.build import Run, build

from .products import listeners, products, round_operations
from .rounds import rounds_of
from .timing import interleaved, median_ratio

_NETWORKS = flags.DEFINE_list("networks", ["cnn", "mcmahan_cnn"], "What is run.")
_REPEATS = flags.DEFINE_integer("network_calls", 5, "Timed calls of each.", 1)
CONFIGS = {"cnn": "mnist_flq_cnn", "mcmahan_cnn": "mnist_fedavg"}
MODELS = {"cnn": "CNN((8, 16, 24))", "mcmahan_cnn": "mcmahan_cnn()"}
ROUNDS = {"cnn": 10, "mcmahan_cnn": 1}  # a call
RIVALS = ("flax clients", "flax batch", "products")


def config_of(model: str) -> ConfigDict:
    """The config whose rounds are timed."""
    config = importlib.import_module(f"flq_jax.configs.{CONFIGS[model]}").get_config()
    config.model = MODELS[model]
    return config


def flax_network(model: str) -> nn.Module:
    """The same network of flax's layers."""
    channels, window, hidden = {
        "cnn": ((8, 16, 24), 3, ()),
        "mcmahan_cnn": ((32, 64), 5, (512,)),
    }[model]
    pool = partial(nn.max_pool, window_shape=(2, 2), strides=(2, 2))
    layers = [lambda x: x[..., None] / 255.0]
    for width in channels:
        layers += [nn.Conv(width, (window, window)), pool, nn.relu]
    layers += [lambda x: x.reshape(len(x), -1)]
    for width in hidden:
        layers += [nn.Dense(width), nn.relu]
    return nn.Sequential([*layers, nn.Dense(10)])


def flax_rounds(
    dataset: Dataset, model: str, config: ConfigDict, run: Run, pooled: bool
) -> Callable[[], object]:
    """Rounds by flax's layers; a gradient, or a step of an epoch, is a call of XLA."""
    net = flax_network(model)
    loss = models.classification_loss(net)
    images, labels = (
        jnp.asarray(dataset.train_inputs),
        jnp.asarray(dataset.train_labels),
    )
    rng = np.random.default_rng(0)
    params = net.init(jax.random.key(0), jnp.zeros((1, *images.shape[1:])))["params"]
    update, rate = run.federation.local_update, config.let.get("rate", 0.1)
    clients = 1 if pooled else listeners(run)

    @jax.jit
    def step(params, rows):
        weights = jnp.full(len(rows), 1.0 / len(rows))
        grads = jax.grad(loss)(params, images[rows], labels[rows], weights)
        return jax.tree.map(lambda leaf, grad: leaf - rate * grad, params, grads)

    @jax.jit
    def mean(all_params):
        return jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *all_params)

    def batches() -> Iterator[np.ndarray]:
        if not update.epochs:
            size = update.batch * (config.clients if pooled else 1)
            yield rng.integers(0, len(labels), size)
            return
        own = rng.choice(len(labels), len(labels) // config.clients, replace=False)
        yield from own.reshape(-1, update.batch)

    def client(params):
        for rows in batches():
            params = step(params, rows)
        return params

    def one_round(params):
        return mean([client(params) for _ in range(clients)])

    def call():
        new = params
        for _ in range(ROUNDS[model]):
            new = one_round(new)
        return jax.block_until_ready(new)

    return call


def measure(dataset: Dataset, model: str) -> dict[str, list[float]]:
    """Seconds a round of each contestant."""
    config, count = config_of(model), ROUNDS[model]
    run = build(config, dataset)
    functions = {
        "ours": rounds_of(run, count),
        "flax clients": flax_rounds(dataset, model, config, run, pooled=False),
        "products": products(count * round_operations(dataset, config, run)),
    }
    if not run.federation.local_update.epochs:
        functions["flax batch"] = flax_rounds(dataset, model, config, run, pooled=True)
    seconds = interleaved(functions, repeats=_REPEATS.value)
    return {name: [s / count for s in calls] for name, calls in seconds.items()}


def main(argv: list[str]) -> None:
    """Prints rounds per second, and what part of each rival's time ours is."""
    del argv
    dataset = data.load("mnist")
    table = Table(title="rounds/s (our time relative to theirs)", title_justify="left")
    for column in ("model", "ours", *RIVALS):
        table.add_column(column, justify="right")
    for model in _NETWORKS.value:
        seconds = measure(dataset, model)
        cells = [
            f"{1 / statistics.median(seconds[name]):.2f} "
            f"({median_ratio(seconds['ours'], seconds[name]):.2f})"
            if name in seconds
            else ""
            for name in RIVALS
        ]
        ours = 1 / statistics.median(seconds["ours"])
        table.add_row(model, f"{ours:.2f}", *cells)
    Console(width=100).print(table)


if __name__ == "__main__":
    app.run(main)
