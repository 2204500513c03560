"""The contract of quantizers."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.quantizers import Quantizer
from flq_jax.testing.common import (
    extremes,
    inputs,
    near,
    not_finite,
    require,
    through_bytes,
)

DRAWS = 2000
_LOG = 17.0  # ln(2 / delta) for a false alarm in 2e7 comparisons


class Claims(NamedTuple):
    """What a quantizer's docstring says, beside what its layout does.

    Attributes:
        unbiased: whether E[x_hat] = x.
        error: x -> a bound on max |x - x_hat|; None where there is none.
        squared_error: x -> a bound on E ||x - x_hat||^2; None where there is none. It is
            (1 - delta) ||x||^2 for a contraction by delta, omega ||x||^2 for an unbiased
            quantizer of relative variance omega.
        bits: d -> length of a message about f32[d]; None takes the layout's word.
        zero: whether x = 0 decodes to exactly 0.
    """

    unbiased: bool = False
    error: Callable[[jax.Array], jax.Array] | None = None
    squared_error: Callable[[jax.Array], jax.Array] | None = None
    bits: Callable[[int], int] | None = None
    zero: bool = True


NO_CLAIMS = Claims()


def check_quantizer(
    quantizer: Quantizer,
    claims: Claims = NO_CLAIMS,
    *,
    sizes: Sequence[int] = (1, 37),
    seed: int = 0,
) -> None:
    """Checks that a quantizer is one, and that what it claims is what is measured.

    For every length: messages have the shape, the width and the length of the layout, and
    survive the wire bit for bit; zero, constants, denormal and huge numbers decode to
    finite ones, within the bound on the error; NaN and infinity still make a message that
    can be sent. For the last length: jit is eager and vmap a loop, and expectations are
    what is claimed: a bound on them holds within five standard errors of 2000 draws; a bias is found if it exceeds the empirical Bernstein bound
    (Maurer and Pontil 2009), about a fiftieth of the range of x_hat.

    Args:
        quantizer: yours.
        claims: about inputs that are no overload.
        sizes: lengths d to try, the longest last; a quantizer for one length alone takes that.
        seed: of the inputs and draws, 0 or more.

    Raises:
        AssertionError: a promise is broken.
    """
    compiled = quantizer._replace(
        encode=jax.jit(quantizer.encode), decode=jax.jit(quantizer.decode)
    )
    for size in sizes:
        rng, key = np.random.default_rng(seed), jax.random.key(seed)
        key_rows, key_draws = jax.random.split(jax.random.fold_in(key, size))
        ordinary = inputs(rng, size)
        finite = ordinary | extremes(size)
        every = finite | not_finite(size)
        names = [f"{name} of length {size}" for name in every]
        xs = np.stack(list(every.values()))
        keys = jax.random.split(key_rows, len(xs))
        x_hats = _check_messages(compiled, claims, names, keys, xs)
        for name, x, x_hat in zip(names[: len(finite)], xs, x_hats):
            _check_estimate(quantizer, claims, name, x, x_hat)
    xs = np.stack(list(ordinary.values()))
    _check_draws(quantizer, compiled, claims, key_draws, names, xs)


def _roundtrip(quantizer: Quantizer, key: jax.Array, x: jax.Array) -> jax.Array:
    return quantizer.decode(jax.random.clone(key), quantizer.encode(key, x))


def _check_messages(
    quantizer: Quantizer,
    claims: Claims,
    names: Sequence[str],
    keys: jax.Array,
    xs: np.ndarray,
) -> list[np.ndarray]:
    """Shape, width, length, and the wire, of a message about each row; its estimates."""
    size = xs.shape[1]
    layout = quantizer.layout(size)
    if claims.bits is not None:
        wanted = claims.bits(size)
        require("bits", layout.num_bits == wanted, names[0], wanted, layout.num_bits)
    x_hats = []
    for name, key, x in zip(names, keys, xs):
        message = jax.tree.map(np.asarray, quantizer.encode(jax.random.clone(key), x))
        sent = int(message.num_bits)
        require("bits", sent == layout.num_bits, name, layout.num_bits, sent)
        received = through_bytes(message, layout, name)
        x_hat = np.asarray(quantizer.decode(key, received))
        came, wanted = (x_hat.shape, str(x_hat.dtype)), ((size,), "float32")
        require("estimate", came == wanted, name, wanted, came)
        x_hats.append(x_hat)
    return x_hats


def _check_estimate(
    quantizer: Quantizer, claims: Claims, where: str, x: np.ndarray, x_hat: np.ndarray
) -> None:
    """Finite; zero is zero; the error bound, or x that underflows to zero."""
    require("finite", np.isfinite(x_hat).all(), where, "finite", x_hat)
    if claims.zero and not x.any():
        require("zero", not x_hat.any(), where, "exactly 0", x_hat)
    if claims.error is not None and not quantizer.overload(x):
        largest = np.abs(x).max()
        error = np.abs(x - x_hat).max()
        bound = (1 + 1e-4) * float(claims.error(x)) + 1e-6 * largest
        bound = max(bound, largest) if largest < 1e-18 else bound
        require("error", error <= bound, where, f"at most {bound:.6g}", error)


def _check_draws(
    quantizer: Quantizer,
    compiled: Quantizer,
    claims: Claims,
    key: jax.Array,
    names: Sequence[str],
    xs: np.ndarray,
) -> None:
    """Transforms, and expectations over draws of the quantizer's randomness."""
    expected = claims.unbiased or claims.squared_error is not None
    draws = DRAWS if expected else 1
    rows, loops = np.repeat(xs, draws, axis=0), len(xs)
    eager, loop = partial(_roundtrip, quantizer), partial(_roundtrip, compiled)
    samples = check_transforms(eager, loop, key, rows, loops)
    samples = samples.reshape(len(xs), draws, -1)
    for name, x, x_hats in zip(names, xs, samples):
        if expected and not quantizer.overload(x):
            _check_expectations(claims, name, x, x_hats)


def check_transforms(
    roundtrip: Callable[[jax.Array, jax.Array], jax.Array],
    compiled: Callable[[jax.Array, jax.Array], jax.Array],
    key: jax.Array,
    xs: np.ndarray,
    loops: int,
) -> np.ndarray:
    """jit is eager and vmap a loop, up to f32's rounding.

    Args:
        roundtrip: (key, x f32[d]) -> x_hat f32[d].
        compiled: the same, both of its ends under jit.
        key: of the draws.
        xs: f32[n, d].
        loops: how many rows, evenly spaced, to loop over.

    Returns:
        The rows' estimates, f32[n, d].
    """
    where = f"vectors of length {xs.shape[1]}"
    keys = jax.random.split(key, len(xs))
    mapped = np.asarray(jax.jit(jax.vmap(roundtrip))(jax.random.clone(keys), xs))
    for i in range(0, len(xs), len(xs) // loops):
        one = compiled(jax.random.clone(keys)[i], xs[i])
        require("vmap", near(one, mapped[i]), where, f"the loop's {one}", mapped[i])
    eager = roundtrip(jax.random.clone(keys)[0], jnp.asarray(xs[0]))
    require("jit", near(eager, mapped[0]), where, f"the eager {eager}", mapped[0])
    return mapped


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
