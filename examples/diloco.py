"""DiLoCo (Douillard et al. 2023): replicas that meet every H steps, and what it costs.

    python examples/diloco.py [--small] [--figure=docs/images/diloco.svg]

Four replicas, simulated devices of a CPU, train a small transformer on Shakespeare's plays.
Each takes H steps of AdamW on examples of its own; then all step along the mean of how far
they came, by SGD with Nesterov's momentum. What crosses is that outer gradient, once a
round, as floats or compressed: see docs/collectives.md. For comparison the first row has
the replicas mean every gradient, in floats, for the same steps of AdamW.
"""

import argparse
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

import flq_jax as flq
from flq_jax.models import Transformer

REPLICAS = 4
EVERY_STEP = "every step"
# name: the link, with d numbers in tensors of `sizes`
LINKS = {
    EVERY_STEP: "direct(identity())",
    "32 bits": "direct(identity())",
    "4 bits": "direct(segmented(uniform(4), sizes))",
    "1 bit": "error_feedback(segmented(sign(), sizes))",
    "EDEN": "direct(eden(1))",
    "top 2 %": "error_feedback(top_k(0.02, d))",
    "top 2 %, 2 bits": "error_feedback(top_k(0.02, d, values=uniform(2)), decay=0.95)",
}


class Setting(NamedTuple):
    """What is trained, and how long."""

    model: Transformer = Transformer(80, width=48, layers=2)
    rounds: int = 20
    steps: int = 20  # H
    batch: int = 16
    judged: int = 256  # test examples
    every: int = 1  # rounds from one judgement to the next
    inner: optax.GradientTransformation = optax.adamw(3e-3)
    outer: optax.GradientTransformation = optax.sgd(0.7, momentum=0.9, nesterov=True)

    @property
    def meeting_at_every_step(self) -> "Setting":
        """As many steps; a step of SGD at rate 1 comes as far as its gradient."""
        return self._replace(
            rounds=self.rounds * self.steps,
            steps=1,
            every=self.steps,
            inner=optax.sgd(1.0),
            outer=self.inner,
        )


SMALL = Setting(Transformer(80, width=16, heads=2, layers=1), 4, 4, 4, 32)


class State(NamedTuple):
    """Between two rounds: the model, and what is remembered beside it.

    Attributes:
        params: the same on all replicas.
        outer: of the outer optimizer, the same on all replicas.
        inner: of each replica's AdamW, leaves [R, ...].
        means: of the links.
    """

    params: Any
    outer: Any
    inner: Any
    means: flq.MeanState


def mesh() -> Mesh:
    return Mesh(np.array(jax.devices()[:REPLICAS]), ("replicas",))


def link_of(expression: str, params: Any) -> flq.Compressor:
    """What an expression of `LINKS` says."""
    sizes = [leaf.size for leaf in jax.tree.leaves(params)]
    names = {name: getattr(flq, name) for name in flq.__all__}
    given = {"sizes": sizes, "d": sum(sizes)}
    return eval(expression, names | given)  # noqa: S307 the example's own


def loss_of(model: Transformer) -> Callable[..., jax.Array]:
    """(params, inputs i32[b, t], targets i32[b, t]) -> nats a character."""
    loss = flq.next_token(model).loss

    def mean(params, inputs, targets):
        weights = jnp.full(len(inputs), 1 / len(inputs))
        return loss(params, inputs, targets, weights)

    return mean


def round_of(setting: Setting, mean: flq.CompressedMean) -> Callable[..., Any]:
    """A round on one replica: (key, state, batches) -> (state, bits), inside shard_map.

    theta_r <- H steps of AdamW from theta,
    theta <- Nesterov's step along the mean of theta - theta_r.
    """
    loss = loss_of(setting.model)

    def step(carry, batch):
        params, inner = carry
        grads = jax.grad(loss)(params, *batch)
        updates, inner = setting.inner.update(grads, inner, params)
        return (optax.apply_updates(params, updates), inner), None

    def one_round(key, state, batches):
        # Each replica's own from here on; else JAX would sum the gradients itself.
        mine = jax.lax.pcast(state.params, "replicas", to="varying")
        inner, batches = jax.tree.map(lambda leaf: leaf[0], (state.inner, batches))
        (mine, inner), _ = jax.lax.scan(step, (mine, inner), batches)
        came = jax.tree.map(jnp.subtract, state.params, mine)
        outer_gradient, means, bits = mean.apply(key, state.means, came)
        updates, outer = setting.outer.update(outer_gradient, state.outer, state.params)
        params = optax.apply_updates(state.params, updates)
        inner = jax.tree.map(lambda leaf: leaf[None], inner)
        return State(params, outer, inner, means), bits

    return one_round


def first_state(setting: Setting, params: Any, mean: flq.CompressedMean) -> State:
    inner = setting.inner.init(params)
    inner = jax.tree.map(lambda leaf: jnp.stack([leaf] * REPLICAS), inner)
    return State(params, setting.outer.init(params), inner, mean.init(params))


def on_devices(setting: Setting, mean: flq.CompressedMean, means: Any) -> Any:
    """(a round of all replicas, jitted, and where its state lies)."""
    specs = State(P(), P(), P("replicas"), flq.state_specs(means, "replicas"))
    mapped = jax.shard_map(
        round_of(setting, mean),
        mesh=mesh(),
        in_specs=(P(), specs, P("replicas")),
        out_specs=(specs, P()),
    )
    lies = jax.tree.map(lambda spec: NamedSharding(mesh(), spec), specs)
    return jax.jit(mapped), lies


def batches_of(setting: Setting, examples: tuple[np.ndarray, ...], round_index: int):
    """Those of one round, [R, H, b, t] each, from each replica's own quarter."""
    rng = np.random.default_rng(round_index)
    quarters = np.arange(len(examples[0])).reshape(-1, REPLICAS).T
    shape = setting.steps, setting.batch
    rows = np.stack([rng.choice(quarter, shape) for quarter in quarters])
    return tuple(part[rows] for part in examples)


def curve(setting: Setting, expression: str, examples, tests) -> list[tuple]:
    """(bits that a replica has sent, test loss) after each round that is judged."""
    params = setting.model.init(jax.random.key(0), examples[0][:1])["params"]
    mean = flq.compressed_mean(link_of(expression, params), "replicas", REPLICAS)
    state = first_state(setting, params, mean)
    one_round, lies = on_devices(setting, mean, state.means)
    judge = jax.jit(loss_of(setting.model))
    state, sent, points = jax.device_put(state, lies), 0, []
    for k in range(setting.rounds):
        batches = batches_of(setting, examples, k)
        state, bits = one_round(jax.random.key(k), state, batches)
        sent += int(bits)
        if (k + 1) % setting.every == 0:
            loss = judge(jax.device_get(state.params), *tests)
            points.append((sent, float(loss)))
    return points


def curves(setting: Setting, examples, tests) -> dict[str, list[tuple]]:
    """That of each link; prints the table's lines."""
    half = setting.rounds // 2
    print(f"| outer gradient | link | bits sent | loss, {half} rounds | {2 * half} |")
    print("|---|---|---|---|---|")
    found = {}
    for name, expression in LINKS.items():
        met = setting.meeting_at_every_step if name == EVERY_STEP else setting
        found[name] = curve(met, expression, examples, tests)
        (_, middle), (bits, last) = found[name][half - 1], found[name][2 * half - 1]
        print(f"| {name} | `{expression}` | {bits:,} | {middle:.3f} | {last:.3f} |")
    return found


def drawn(found: dict[str, list[tuple]]) -> Figure:
    """Test loss against bits, a line for each link."""
    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    axes = figure.subplots()
    for name, points in found.items():
        bits, losses = zip(*points)
        axes.plot(bits, losses, marker=".", label=name)
    axes.set(xscale="log", xlabel="bits that a replica has sent")
    axes.set(ylabel="test loss (nats a character)")
    axes.grid(alpha=0.25)
    axes.legend(title="outer gradient", fontsize=8)
    return figure


def save(figure: Figure, path: str) -> None:
    with rc_context({"svg.hashsalt": "flq_jax"}):
        FigureCanvasSVG(figure)
        figure.savefig(path, format="svg", metadata={"Date": None})


def plays(folder: str, judged: int):
    """(examples, tests), the former as many as the replicas can share."""
    data = flq.data.shakespeare(folder)
    rng = np.random.default_rng(0)
    count = len(data.train_inputs) // REPLICAS * REPLICAS
    rows = rng.permutation(len(data.train_inputs))[:count]
    chosen = rng.permutation(len(data.test_inputs))[:judged]
    return (data.train_inputs[rows], data.train_labels[rows]), (
        data.test_inputs[chosen],
        data.test_labels[chosen],
    )


def main(args: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="a model of a few seconds")
    parser.add_argument("--data", default="", help="a folder with the plays")
    parser.add_argument("--figure", default="", help="an SVG file to draw")
    given = parser.parse_args(args)
    setting = SMALL if given.small else Setting()
    try:
        examples, tests = plays(given.data, setting.judged)
    except flq.data.DataError as error:
        sys.exit(str(error))
    jax.config.update("jax_num_cpu_devices", REPLICAS)
    found = curves(setting, examples, tests)
    if given.figure:
        save(drawn(found), given.figure)
        print(given.figure)


if __name__ == "__main__":
    main(sys.argv[1:])
