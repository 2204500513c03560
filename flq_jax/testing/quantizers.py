"""The contract of quantizers."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

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
ORDINARY = 5  # of the vectors, the first
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
    can be sent. Shorter lengths are checked one by one under jit, the last one under vmap,
    where estimates are the eager ones and expectations are what is claimed: a bound on
    them holds within five standard errors of 2000 draws; a bias is found if it exceeds
    the empirical Bernstein bound (Maurer and Pontil 2009), about a fiftieth of the range
    of x_hat.

    Args:
        quantizer: yours.
        claims: about inputs that are no overload.
        sizes: lengths d to try, the longest last; a quantizer for one length alone takes
            that.
        seed: of the inputs and draws, 0 or more.

    Raises:
        AssertionError: a promise is broken.
    """
    *shorter, longest = sizes
    looped = quantizer._replace(
        encode=_looped(quantizer.encode), decode=_looped(quantizer.decode)
    )
    for size in shorter:
        vectors, xs, keys = _rows(seed, size)
        x_hats = _check_messages(looped, claims, list(vectors), keys, xs)
        _check_estimates(quantizer, claims, vectors, x_hats)
    mapped = quantizer._replace(
        encode=jax.jit(jax.vmap(quantizer.encode)),
        decode=jax.jit(jax.vmap(quantizer.decode)),
    )
    expected = claims.unbiased or claims.squared_error is not None
    vectors, xs, keys = _rows(seed, longest, DRAWS if expected else 0)
    x_hats = _check_messages(mapped, claims, list(vectors), keys, xs)
    one = partial(_roundtrip, quantizer)
    check_transforms(one, keys, xs[:ORDINARY], x_hats[:ORDINARY])
    _check_estimates(quantizer, claims, vectors, x_hats)
    samples = x_hats[len(vectors) :].reshape(-1, DRAWS, longest)
    for (name, x), x_hats in zip(vectors.items(), samples):
        if not quantizer.overload(x):
            _check_expectations(claims, name, x, x_hats)


def _rows(
    seed: int, size: int, draws: int = 0
) -> tuple[dict[str, np.ndarray], np.ndarray, jax.Array]:
    """Vectors by name, as rows, the ordinary ones `draws` times more, and keys."""
    ordinary = inputs(np.random.default_rng(seed), size)
    vectors = ordinary | extremes(size) | not_finite(size)
    rows = np.stack(list(vectors.values()))
    xs = np.concatenate([rows, np.repeat(rows[:ORDINARY], draws, axis=0)])
    keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), size), len(xs))
    return {f"{k} of length {size}": x for k, x in vectors.items()}, xs, keys


def _looped(function: Callable) -> Callable:
    """What `jax.vmap` makes of a function, by a loop over calls that are jitted."""
    function = jax.jit(function)

    def loop(keys, rows):
        calls = [function(keys[i], _at(rows, i)) for i in range(len(keys))]
        return jax.tree.map(lambda *leaves: np.stack(leaves), *calls)

    return loop


def _at(tree: Any, index: Any) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf)[index], tree)


def _roundtrip(quantizer: Quantizer, key: jax.Array, x: jax.Array) -> jax.Array:
    return quantizer.decode(jax.random.clone(key), quantizer.encode(key, x))


def _check_messages(
    quantizer: Quantizer,
    claims: Claims,
    names: Sequence[str],
    keys: jax.Array,
    xs: np.ndarray,
) -> np.ndarray:
    """Shape, width, length, and the wire, of messages about the rows with a name.

    Args:
        quantizer: of many rows at once.
        claims: of its author.
        names: of the first rows.
        keys: of the rows.
        xs: f32[n, d].

    Returns:
        Estimates of all rows, f32[n, d], from what arrives by the wire where there is a
        name.
    """
    size = xs.shape[1]
    layout = quantizer.layout(size)
    if claims.bits is not None:
        wanted = claims.bits(size)
        require("bits", layout.num_bits == wanted, names[0], wanted, layout.num_bits)
    messages = jax.tree.map(np.array, quantizer.encode(jax.random.clone(keys), xs))
    for i, name in enumerate(names):
        message = _at(messages, i)
        sent = int(message.num_bits)
        require("bits", sent == layout.num_bits, name, layout.num_bits, sent)
        received = through_bytes(message, layout, name)
        for leaf, part in zip(messages, received):
            leaf[i] = part
    x_hats = np.asarray(quantizer.decode(keys, messages))
    came, wanted = (x_hats.shape[1:], str(x_hats.dtype)), ((size,), "float32")
    require("estimate", came == wanted, names[0], wanted, came)
    return x_hats


def _check_estimates(
    quantizer: Quantizer, claims: Claims, vectors: dict[str, np.ndarray], x_hats
) -> None:
    """Whatever must hold for each finite vector alone."""
    for (name, x), x_hat in zip(vectors.items(), x_hats):
        if np.isfinite(x).all():
            _check_estimate(quantizer, claims, name, x, x_hat)


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


def check_transforms(
    roundtrip: Callable[[jax.Array, jax.Array], jax.Array],
    keys: jax.Array,
    xs: np.ndarray,
    mapped: np.ndarray,
) -> None:
    """Both jit and vmap leave estimates what they are eagerly, up to f32's rounding.

    Args:
        roundtrip: (key, x f32[d]) -> x_hat f32[d].
        keys: of the rows.
        xs: f32[n, d].
        mapped: their estimates by jit of vmap, f32[n, d].
    """
    where = f"vectors of length {xs.shape[1]}"
    for i, (x, x_hat) in enumerate(zip(xs, mapped)):
        eager = roundtrip(jax.random.clone(keys)[i], jnp.asarray(x))
        if not near(eager, x_hat):
            one = jax.jit(roundtrip)(jax.random.clone(keys)[i], x)
            require("jit", near(eager, one), where, f"the eager {eager}", one)
            require("vmap", False, where, f"the loop's {one}", x_hat)


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
