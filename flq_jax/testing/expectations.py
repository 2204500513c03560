"""Many rows at once: vmap, and what a quantizer's estimates are on average."""

from collections.abc import Sequence

import jax
import numpy as np

from flq_jax.quantizers import Quantizer
from flq_jax.testing.claims import Claims
from flq_jax.testing.common import ORDINARY, near, require
from flq_jax.testing.programs import key_data, typed

DRAWS = 2000
_LOG = 17.0  # ln(2 / delta) for a false alarm in 2e7 comparisons


def check_rows(
    quantizer: Quantizer,
    claims: Claims,
    vectors: dict[str, np.ndarray],
    keys: np.ndarray,
    x_hats: Sequence[np.ndarray],
    overloads: Sequence[bool],
) -> None:
    """Under vmap, ordinary vectors' estimates, up to f32's rounding, and expectations."""

    def one(key, x):
        message = quantizer.encode(typed(key), x)
        return quantizer.decode(typed(key), message)

    ordinary = list(vectors.items())[:ORDINARY]
    expected = claims.unbiased or claims.squared_error is not None
    draws = DRAWS if expected else 0
    rows = np.stack([x for _, x in ordinary])
    xs = np.concatenate([rows, np.repeat(rows, draws, axis=0)])
    more = key_data(np.random.default_rng(keys[0]), draws * ORDINARY)
    keys = np.concatenate([keys[:ORDINARY], more])
    mapped = np.asarray(jax.jit(jax.vmap(one))(keys, xs))
    for (name, _), x_hat, row in zip(ordinary, x_hats, mapped):
        require("vmap", near(x_hat, row), name, f"the loop's {x_hat}", row)
    if not expected:
        return
    samples = mapped[ORDINARY:].reshape(ORDINARY, draws, -1)
    for (name, x), overload, drawn in zip(ordinary, overloads, samples):
        if not overload:
            _check_expectations(claims, name, x, drawn)


def _check_expectations(
    claims: Claims, where: str, x: np.ndarray, samples: np.ndarray
) -> None:
    """E x_hat = x and E ||x - x_hat||^2, from samples f32[n, d] of x_hat."""
    exact, samples = x.astype(np.float64), samples.astype(np.float64)
    if claims.unbiased:
        off = np.abs(samples.mean(0) - exact)
        chance = samples.std(0) * np.sqrt(2 * _LOG / DRAWS)
        chance += 7 * _LOG / 3 / DRAWS * np.ptp(samples, axis=0).max()
        excess = off - chance - 1e-5 * np.abs(exact).max()
        worst = int(excess.argmax())
        must = f"E[x_hat] = {exact[worst]:.6g} at coordinate {worst}"
        require("unbiased", excess[worst] <= 0, where, must, samples.mean(0)[worst])
    if claims.squared_error is not None:
        squares = np.sum((samples - exact) ** 2, axis=1)
        bound = (1 + 1e-4) * float(claims.squared_error(x)) + 1e-9 * np.sum(exact**2)
        least = squares.mean() - 5 * squares.std() / np.sqrt(DRAWS)
        must = f"E||x - x_hat||^2 at most {bound:.6g}"
        require("squared error", least <= bound, where, must, squares.mean())
