"""Draws what each of the paper's equations does, with the functions that compute it.

python docs/equations.py --picture=docs/equations.png
"""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import app, flags
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from flq_jax import federated, kernels, keys, quantizers
from flq_jax.compressors import Broadcast, direct, innovation, lazy, zooming
from flq_jax.data.clients import ClientData
from flq_jax.experiments.options import command_line
from flq_jax.quantizers import straight_through as st

_PICTURE = flags.DEFINE_string("picture", "docs/equations.png", "The PNG file.")
RAMP = np.linspace(-1.5, 1.5, 601, dtype=np.float32)


def quadratics(compressor, downlink, rounds, step=0.3):
    """(theta f32[rounds, 2], uploads bool[rounds, 3], c f32[3, 2]) of three clients.

    Client i holds 1, 2 or 5 times the example c_i: f_i(theta) = ||theta - c_i||^2 / 2.
    """
    centres = np.array([[0.0, 2.0], [2.0, 1.0], [1.0, -1.0]], np.float32)
    sizes = np.array([1, 2, 5], np.int32)
    inputs = np.broadcast_to(centres[:, None], (3, 5, 2))
    data = ClientData(jnp.asarray(inputs), jnp.zeros((3, 5), jnp.int32), sizes)

    def loss(theta, inputs, labels, weights, key):
        del labels, key
        return weights @ jnp.sum((theta[None] - inputs) ** 2, axis=-1) / 2

    federation = federated.federation(
        jnp.zeros(2),
        federated.gradient(loss),
        compressor,
        optax.sgd(step),
        federated.everyone(3),
        step_size=step,
        downlink=downlink,
    )
    state = federated.init(federation, jnp.array([-1.0, -1.0]), 3)

    def one(state, k):
        new, metrics = federated.round_step(
            federation, keys.seed_key(0), data, state, k
        )
        return new, (state.params, metrics.uplink_bits > 0)

    _, (path, spoke) = jax.jit(lambda s: jax.lax.scan(one, s, jnp.arange(rounds)))(
        state
    )
    return np.asarray(path), np.asarray(spoke), centres


def aggregation(axes: Axes) -> None:
    """Eqs. 1-4: the mean counts examples; the broadcast has eight bits, or here three."""
    for name, downlink in {
        "exact": federated.exact(),
        "3 bits": federated.uniform_downlink(3, (2,)),
    }.items():
        path, _, centres = quadratics(direct(quantizers.identity()), downlink, 12)
        axes.plot(*path.T, ".-", label=f"theta, broadcast {name}")
    axes.scatter(*centres.T, s=[20, 40, 100], c="black", label="clients, n = 1, 2, 5")
    axes.set(title="Eqs. 1-4: descent of a mean by examples")


def popcounts(axes: Axes) -> None:
    """Eq. 5: N - 2 popcount(xor) is the product; with xnor, as printed, it is not."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, (2, 40, 64))
    products = ((2 * a - 1) * (2 * b - 1)).sum(axis=1)
    ours = np.diag(
        kernels.bit_matmul(
            kernels.Codes(jnp.uint8(a), 1, signed=True),
            kernels.Codes(jnp.uint8(b.T), 1, signed=True),
        )
    )
    axes.plot(products, ours, "o", label="N - 2 popcount(xor)")
    axes.plot(products, 64 - 2 * (a == b).sum(axis=1), "x", label="as printed, xnor")
    axes.set(title="Eq. 5: signs' products", xlabel="x . y", ylabel="from bits")


def levels(axes: Axes) -> None:
    """Eq. 6."""
    x = np.linspace(0, 1, 401, dtype=np.float32)
    for bits in (1, 2, 3):
        axes.plot(x, st.quantize_k(x, bits), label=f"k = {bits}")
    axes.set(title="Eq. 6: quantize_k", xlabel="x")


def binary_weights(axes: Axes) -> None:
    """Eqs. 7, 8: by the layer, and by the channel."""
    w = np.stack([RAMP, RAMP / 3])
    binary = jax.jit(st.sign_weights, static_argnums=1)
    for scales, per_channel in {"layer": False, "channel": True}.items():
        for i, row in enumerate(np.asarray(binary(w, per_channel))):
            line = "--" if per_channel else "-"
            axes.plot(w[i], row, line, label=f"a scale a {scales}, channel {i}")
    axes.set(title="Eqs. 7, 8: one-bit weights", xlabel="w")


def weights(axes: Axes) -> None:
    """Eq. 9: in the paper's range, and in the tensor's own."""
    axes.plot(RAMP, st.tanh_weights(RAMP, 2), label="k = 2")
    axes.plot(RAMP, st.tanh_weights(RAMP, 3), label="k = 3")
    axes.plot(RAMP, st.tanh_weights(RAMP, 3, rescale=True), "--", label="rescaled")
    axes.set(title="Eq. 9: weights of two bits and more", xlabel="w")


def activations(axes: Axes) -> None:
    """Eq. 10, and its gradient."""
    axes.plot(RAMP, st.clipped_activation(RAMP, 2), label="k = 2")
    slope = jax.vmap(jax.grad(functools.partial(st.clipped_activation, bits=2)))(RAMP)
    axes.plot(RAMP, slope, "--", label="gradient")
    axes.set(title="Eq. 10: activations", xlabel="x")


def gradients(axes: Axes) -> None:
    """Eqs. 11, 12: what flows back for dr, once and on average."""
    dr = RAMP[None, ::4]

    def back(key):
        _, pull = jax.vjp(lambda x: st.quantize_gradient(x, 2, key), dr)
        return pull(dr)[0][0]

    keys = jax.random.split(jax.random.key(0), 500)
    draws = np.asarray(jax.jit(jax.vmap(back))(keys))
    axes.plot(dr[0], jax.jit(back)(None), label="Eq. 11, k = 2")
    axes.plot(dr[0], draws[0], ".", ms=2, label="Eq. 12, once")
    axes.plot(dr[0], draws.mean(axis=0), label="mean of 500")
    axes.set(title="Eqs. 11, 12: gradients", xlabel="dr")


def grids(axes: Axes) -> None:
    """Eqs. 13, 14: innovations stay within a grid that shrinks as prescribed."""
    grid = zooming(3.0, 1.0, 4, distance=2.0, gradient=3.0, bits=6)
    link = innovation(
        quantizers.uniform(6, quantizers.geometric(grid.scale, grid.rate))
    )
    hessian = jnp.array([1.0, 1.5, 2.0, 3.0])

    def one(carry, k):
        x, client, server = carry
        c, told = hessian * x, Broadcast(k)
        message, after = link.encode(jax.random.key(k), c, client, told)
        q, server = link.decode(jax.random.key(k), message, server, told)
        size, error = jnp.max(jnp.abs(c - client)), jnp.max(jnp.abs(q - c))
        return (x - 0.5 * q, after, server), (size, error)

    rounds = np.arange(40)
    start = jnp.ones(4), *link.init(4)
    _, (sizes, errors) = jax.jit(lambda s: jax.lax.scan(one, s, rounds))(start)
    axes.semilogy(grid.scale * grid.rate**rounds, label="r^k = K alpha^k")
    axes.semilogy(sizes, ".", label="|c - q|, before")
    axes.semilogy(errors, "x", ms=4, label="and after")
    axes.set(title="Eqs. 13, 14: a prescribed grid, b = 6", xlabel="round k")


def roundings(axes: Axes) -> None:
    """Eqs. 15, 16: what arrives of a gradient of normal entries."""

    @functools.partial(jax.jit, static_argnums=0)
    def arrived(quantizer, key, x):
        return quantizer.decode(key, quantizer.encode(jax.random.clone(key), x))

    x = np.sort(np.random.default_rng(1).standard_normal(400, np.float32))
    for name, quantizer in {
        "Eq. 15, sign": quantizers.sign(),
        "Eq. 16, b = 2": quantizers.uniform(2),
        "Eq. 16, b = 3": quantizers.uniform(3),
    }.items():
        axes.plot(x, arrived(quantizer, jax.random.key(0), x), label=name)
    axes.set(title="Eqs. 15, 16: uploads", xlabel="x")


def silences(axes: Axes) -> None:
    """LAQ's (7a), (7b): who speaks in which round."""
    link = lazy(innovation(quantizers.uniform(4)), weight=0.8, max_silence=20)
    _, spoke, _ = quadratics(link, federated.exact(), 60, step=0.1)
    for client, rounds in enumerate(spoke.T):
        axes.plot(np.flatnonzero(rounds), np.full(rounds.sum(), client), "|", ms=14)
    axes.set(title="LAQ (7a), (7b): uploads of three clients", xlabel="round")
    axes.set(yticks=[0, 1, 2], ylim=(-0.5, 2.5))


PANELS = (
    aggregation, popcounts, levels, binary_weights, weights, activations, gradients,
    grids, roundings, silences,
)  # fmt: skip


def drawn() -> Figure:
    """All panels, on one page."""
    figure = Figure(figsize=(12.0, 15.0), layout="constrained")
    FigureCanvasAgg(figure)
    places = figure.subplots(4, 3).flat
    for panel, axes in zip(PANELS, places, strict=False):
        panel(axes)
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize="small")
    for axes in places:
        axes.set_axis_off()
    return figure


def main(argv: list[str]) -> None:
    """Writes the picture."""
    del argv
    path = pathlib.Path(_PICTURE.value)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn().savefig(path, dpi=80)
    print(path)


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parse_flags)
