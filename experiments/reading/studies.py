"""What a run's messages are like: the gradients that were sent, and what is left of them.

A run with `config.log.study` repeats its rounds after its end, client 0 watched, and
leaves a figure and its numbers beside the curves: the same seed makes the same rounds.
There is none of a run whose gradients are not all finite.
"""

import pathlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from ml_collections import ConfigDict

from flq_jax import keys
from flq_jax.compressors import Broadcast
from flq_jax.data.dataset import Dataset
from flq_jax.entropy import empirical_entropy
from flq_jax.federated import heard, rounds
from flq_jax.quantizers.codebook import nearest
from flq_jax.quantizers.lloyd import design, high_rate_error

from ..assembly.build import Run, build
from ..process import console
from ..process.whole_files import write_json
from . import figures

NUM_LEVELS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)


class Watched(NamedTuple):
    """One client's rounds.

    Attributes:
        gradient: what it computed, f32[t, d].
        estimate: what the server made of its message, or of its silence, f32[t, d].
        entropy: bits a code of the message, f32[t]; NaN for silence.
        num_bits: the message's bits, i64[t].
    """

    gradient: jax.Array
    estimate: jax.Array
    entropy: jax.Array
    num_bits: np.ndarray


def write(
    config: ConfigDict, dataset: Dataset, folder: pathlib.Path, num_rounds: int
) -> None:
    """Leaves the figure and the numbers of the config's study in the folder.

    If some vector of the rounds has no finite f32 norm, one line says so instead.

    Args:
        config: validated; without a study nothing is written.
        dataset: what `config.data` names.
        folder: where `NAME.png` and `NAME.json` go.
        num_rounds: those that the run has done, 1 or more.
    """
    if config.log.study == "none":
        return
    watched = watch(build(config, dataset), num_rounds)
    if bad := first_not_finite(watched):
        console.tell(
            f"config.log.study: no {config.log.study} of this run, client 0's gradient "
            f"or its estimate is not finite in round {bad}"
        )
        return
    study, draw = {
        "messages": (messages, figures.messages),
        "levels": (levels, figures.levels),
    }[config.log.study]
    found = study(watched)
    write_json(folder / f"{config.log.study}.json", found)
    draw(found, folder / f"{config.log.study}.png")


def watch(run: Run, num_rounds: int, client: int = 0) -> Watched:
    """The first rounds of a run, as one of its clients has them."""
    federation = run.federation
    compressor = federation.compressor

    def step(state, k):
        round_keys = keys.round_keys(run.root, k)
        model = heard(
            federation.downlink,
            jax.tree.map(jax.random.clone, round_keys),
            state.params,
            state.downlink,
            k,
        )
        shard = run.data.one(client)
        memory, local = jax.tree.map(
            lambda leaf: leaf[client], (state.server_memory, state.local_memory)
        )
        key_local, key_uplink = (
            jax.random.fold_in(jax.random.clone(key), client)
            for key in (round_keys.local, round_keys.uplink)
        )
        _, update, _ = federation.local_update.update(
            key_local, federation.unravel(model.model), shard, local
        )
        sent = rounds.uplink(federation, round_keys, state, run.data, k)
        message = jax.tree.map(lambda leaf: leaf[client], sent.heard)
        broadcast = Broadcast(
            k, state.movements, turn=client, shared=jax.random.clone(round_keys.shared)
        )
        estimate, _ = compressor.decode(key_uplink, message, memory, broadcast)
        entropy = empirical_entropy(message.codes)
        entropy = jnp.where(message.num_bits > 0, entropy, jnp.nan)
        seen = Watched(ravel_pytree(update)[0], estimate, entropy, message.num_bits)
        return rounds.serve(federation, round_keys, state, run.data, k, sent), seen

    watch = jax.jit(lambda state: jax.lax.scan(step, state, jnp.arange(num_rounds))[1])
    watched = watch(run.state)
    bits = [run.links.uplink.bits_of(length) for length in watched.num_bits]
    return watched._replace(num_bits=np.array(bits, np.int64))


def first_not_finite(watched: Watched) -> int:
    """The first round, from 1, with a vector whose f32 norm is not finite; 0: none."""
    vectors = np.stack([watched.gradient, watched.estimate])
    with np.errstate(over="ignore"):
        norms = np.linalg.norm(vectors, axis=2)
    bad = ~np.isfinite(norms).all(axis=0)
    return int(np.argmax(bad)) + 1 if bad.any() else 0


def messages(watched: Watched) -> dict[str, list]:
    """Figure 3: two coordinates as sent, and per round the entropy and the sign flips.

    The coordinates are that of largest root mean square gradient and that of the ninth
    decile. A flip is a coordinate of the estimate that changes its sign.
    """
    gradient, estimate = np.asarray(watched.gradient), np.asarray(watched.estimate)
    order = np.argsort(np.sqrt(np.mean(gradient**2, axis=0)))
    coordinates = [int(order[-1]), int(order[int(0.9 * (len(order) - 1))])]
    entropy = np.asarray(watched.entropy, np.float64)
    return {
        "round": list(range(1, len(gradient) + 1)),
        "coordinates": coordinates,
        "gradient": gradient[:, coordinates].T.tolist(),
        "estimate": estimate[:, coordinates].T.tolist(),
        "mean_estimate": estimate.mean(axis=1).tolist(),
        "relative_error": _relative_error(gradient, estimate).tolist(),
        "entropy": [None if np.isnan(bits) else float(bits) for bits in entropy],
        "sign_flips": [None, *_sign_flips(estimate).tolist()],
        "num_bits": np.asarray(watched.num_bits).tolist(),
    }


def levels(watched: Watched, every: int = 20) -> dict[str, list | int]:
    """Figure 4: the error by the number of levels, Lloyd-Max beside uniform.

    Root mean squared errors over the gradients of every so many rounds, each with levels
    of its own: designed for it, or even in [-R, R], R its largest magnitude. The theory
    is Panter and Dite's of many levels. The knee is where Lloyd-Max's curve, over log2 k
    and both axes scaled to [0, 1], lies farthest below the line between its ends.
    """
    gradients = watched.gradient[::every]
    curves = {"lloyd_max": design, "uniform": _even}
    found = {
        name: [_rmse(gradients, make, k) for k in NUM_LEVELS]
        for name, make in curves.items()
    }
    theory = jax.jit(jax.vmap(high_rate_error, (0, None)))
    found["theory"] = [
        float(jnp.sqrt(jnp.mean(theory(gradients, k)))) for k in NUM_LEVELS
    ]
    rms = float(jnp.sqrt(jnp.mean(jnp.square(gradients))))
    knee = NUM_LEVELS[_knee(np.log2(NUM_LEVELS), found["lloyd_max"])]
    return {"levels": list(NUM_LEVELS), **found, "rms": rms, "knee": knee}


def _even(x: jax.Array, num_levels: int) -> jax.Array:
    return jnp.max(jnp.abs(x)) * jnp.linspace(-1.0, 1.0, num_levels)


def _rmse(gradients: jax.Array, make, num_levels: int) -> float:
    @jax.jit
    @jax.vmap
    def squared(x):
        table = make(x, num_levels)
        return jnp.mean(jnp.square(x - table[nearest(table, x)]))

    return float(jnp.sqrt(jnp.mean(squared(gradients))))


def _relative_error(gradient: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    size = np.maximum(np.linalg.norm(gradient, axis=1), 1e-30)
    return np.linalg.norm(gradient - estimate, axis=1) / size


def _sign_flips(estimate: np.ndarray) -> np.ndarray:
    """The share of coordinates whose sign is not that of the round before, f[t - 1]."""
    return np.mean(np.sign(estimate[1:]) != np.sign(estimate[:-1]), axis=1)


def _knee(x: np.ndarray, y: list[float]) -> int:
    """Where the falling curve is farthest below the line between its ends."""
    x, y = np.asarray(x, np.float64), np.asarray(y)
    x, y = (x - x[0]) / (x[-1] - x[0]), (y - y[-1]) / (y[0] - y[-1])
    return int(np.argmax(1.0 - x - y))
