"""The rounds of `workloads` by hand: a jitted call a client, NumPy, torch."""

import importlib.util
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.data.dataset import Dataset

from .workloads import STEP, Workload

HAS_TORCH = importlib.util.find_spec("torch") is not None


def _order(rng: np.random.Generator, work: Workload, client: int) -> np.ndarray:
    """The rows of the client's batches in a round, [steps, batch]."""
    first = work.share * client
    if not work.epochs:
        return first + rng.integers(0, work.share, (1, work.batch))
    orders = [rng.permutation(work.share) for _ in range(work.epochs)]
    return first + np.concatenate(orders).reshape(-1, work.batch)


def _rounds(
    work: Workload, model: Any, client: Callable, average: Callable
) -> Callable[[], object]:
    """The rounds: client(model, rows) -> its update; average(model, updates) -> model."""
    rng, box = np.random.default_rng(0), [model]

    def one_round():
        who = rng.choice(work.clients, work.asked, replace=False)
        updates = [client(box[0], _order(rng, work, m)) for m in who]
        box[0] = average(box[0], updates)

    def call():
        for _ in range(work.rounds):
            one_round()
        return jax.block_until_ready(box[0])

    return call


def _initial(work: Workload) -> list[list[np.ndarray]]:
    """Layers of weights [out, in] and biases."""
    rng = np.random.default_rng(0)
    return [
        [rng.normal(0, 0.05, (b, a)).astype(np.float32), np.zeros(b, np.float32)]
        for a, b in work.widths
    ]


def a_call_each(work: Workload, dataset: Dataset) -> Callable[[], object]:
    """Plain JAX: one jitted call for each client, whose updates are then averaged."""
    inputs = jnp.asarray(dataset.train_inputs.reshape(-1, 784))
    labels = jnp.asarray(dataset.train_labels, jnp.int32)

    def loss(layers, x, y):
        for i, (w, b) in enumerate(layers):
            x = (jax.nn.relu(x) if i else x) @ w.T + b[None]
        crossed = jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1)
        return -jnp.mean(crossed)

    def grads(layers, rows, inputs, labels):
        x = inputs[rows].astype(jnp.float32) / 255
        return jax.grad(loss)(layers, x, labels[rows])

    @jax.jit
    def update(layers, rows, inputs, labels):
        if not work.epochs:
            return grads(layers, rows[0], inputs, labels)

        def step(local, rows):
            found = grads(local, rows, inputs, labels)
            return jax.tree.map(lambda w, g: w - STEP * g, local, found), None

        local, _ = jax.lax.scan(step, layers, rows)
        return jax.tree.map(jnp.subtract, layers, local)

    @jax.jit
    def average(layers, updates):
        step = (1.0 if work.epochs else STEP) / work.asked
        return jax.tree.map(lambda w, *u: w - step * sum(u), layers, *updates)

    def client(layers, rows):
        return update(layers, rows.astype(np.int32), inputs, labels)

    layers = jax.tree.map(jnp.asarray, _initial(work))
    return _rounds(work, layers, client, average)


def numpy_by_hand(work: Workload, dataset: Dataset) -> Callable[[], object]:
    """NumPy, on all of BLAS's threads, one client after another."""
    inputs = dataset.train_inputs.reshape(-1, 784)

    def gradient(layers, rows):
        acts = [inputs[rows].astype(np.float32) * np.float32(1 / 255)]
        for i, (w, b) in enumerate(layers):
            z = acts[-1] @ w.T + b
            acts.append(np.maximum(z, 0) if i + 1 < len(layers) else z)
        delta = np.exp(acts[-1] - acts.pop().max(-1, keepdims=True))
        delta /= delta.sum(-1, keepdims=True)
        delta[np.arange(len(rows)), dataset.train_labels[rows]] -= 1
        delta /= np.float32(len(rows))
        found = []
        for i in reversed(range(len(layers))):
            found.append([delta.T @ acts[i], delta.sum(0)])
            if i:
                delta = (delta @ layers[i][0]) * (acts[i] > 0)
        return found[::-1]

    def moved(layers, grads, step):
        return [[x - step * g for x, g in zip(*pair)] for pair in zip(layers, grads)]

    def client(layers, order):
        if not work.epochs:
            return gradient(layers, order[0])
        local = layers
        for rows in order:
            local = moved(local, gradient(local, rows), np.float32(STEP))
        return moved(layers, local, np.float32(1))

    def average(layers, updates):
        step = np.float32((1.0 if work.epochs else STEP) / work.asked)
        for update in updates:
            layers = moved(layers, update, step)
        return layers

    return _rounds(work, _initial(work), client, average)


def numpy_stacked(
    dataset: Dataset,
    sizes: Sequence[int],
    clients: int,
    batch: int,
    count: int,
    levels: int = 0,
) -> Callable[[], object]:
    """Per-client gradients and their mean in NumPy, clients stacked; one round a call.

    With `levels`, each client's gradient of a layer is rounded at random (QSGD).
    """
    rng = np.random.default_rng(0)
    share = len(dataset.train_labels) // clients
    inputs = dataset.train_inputs.reshape(-1, 784)
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
        rows = rng.integers(0, share, (clients, batch))
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
            np.arange(clients)[:, None], np.arange(batch), dataset.train_labels[rows]
        ] -= 1
        delta = p / np.float32(batch)
        for i in reversed(range(len(layers))):
            grads = heard(acts[i].transpose(0, 2, 1) @ delta)
            bias_grads = heard(delta.sum(1))
            if i:
                delta = (delta @ layers[i].T) * (acts[i] > 0)
            layers[i] -= 0.2 * (grads.mean(0) + 0.01 * layers[i])
            biases[i] -= 0.2 * (bias_grads.mean(0) + 0.01 * biases[i])

    return lambda: [one_round() for _ in range(count)]


def torch_by_hand(work: Workload, dataset: Dataset) -> Callable[[], object]:
    """torch, on all of its threads, one client after another; needs it installed."""
    import torch
    from torch import nn

    inputs = torch.from_numpy(dataset.train_inputs.reshape(-1, 1, 28, 28).copy())
    labels = torch.from_numpy(dataset.train_labels.astype(np.int64))
    if work.dense:
        layers = [nn.Flatten()]
        for i, (a, b) in enumerate(work.widths):
            layers += [nn.ReLU(), nn.Linear(a, b)] if i else [nn.Linear(a, b)]
    else:
        layers = [
            *(nn.Conv2d(1, 32, 5, padding=2), nn.MaxPool2d(2), nn.ReLU()),
            *(nn.Conv2d(32, 64, 5, padding=2), nn.MaxPool2d(2), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(), nn.Linear(512, 10)),
        ]
    net = nn.Sequential(*layers)
    crossed, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), STEP)

    def client(model, order):
        with torch.no_grad():
            for there, mine in zip(net.parameters(), model):
                there.copy_(mine)
        for rows in torch.from_numpy(order):
            optimizer.zero_grad()
            x = inputs[rows].to(torch.float32) / 255
            crossed(net(x), labels[rows]).backward()
            if work.epochs:
                optimizer.step()
        if not work.epochs:
            return [leaf.grad.clone() for leaf in net.parameters()]
        return [old - new.detach() for old, new in zip(model, net.parameters())]

    def average(model, updates):
        step = (1.0 if work.epochs else STEP) / work.asked
        return [x - step * sum(parts) for x, *parts in zip(model, *updates)]

    model = [leaf.detach().clone() for leaf in net.parameters()]
    return _rounds(work, model, client, average)
