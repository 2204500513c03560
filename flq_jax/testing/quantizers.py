"""The contract of quantizers."""

import itertools
from collections.abc import Callable, Sequence

import jax
import numpy as np

from flq_jax.quantizers import Layout, Message, Quantizer
from flq_jax.testing.claims import NO_CLAIMS, Claims
from flq_jax.testing.common import (
    ORDINARY,
    extremes,
    inputs,
    near,
    not_finite,
    require,
    through_bytes,
)
from flq_jax.testing.expectations import check_rows
from flq_jax.testing.programs import (
    key_data,
    message_like,
    replayed,
    shapes,
    traced,
    traced_decoder,
    typed,
)

LATE = 1000  # a late round
LEAST = (
    1e-35  # magnitude: the steps of a grid that fits smaller ones are no normal floats
)
EXPONENTS = (-100, -66, 66, 100)  # 8e-31, 1e-20: its square is no f32; 7e19, 1e30


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
    can be sent. Where 4 x and 16 x decode to 4 x_hat and 16 x_hat, as with any range that
    is measured, so do numbers about 1e-30, 1e-20, 1e20 and 1e30, with the same word on
    overload: no norm underflows and none overflows. So it is for each option too, where there is a choice, in an early round
    and in a late one. No key is drawn from twice. A decoder is traced before any encoder
    has run and may not ask the host, so that nothing but the message reaches it; what
    compiled code of yours (a foreign function) does is not looked into.

    All this is checked one by one under jit. Under vmap, traced anew, estimates of the
    last length are the same ones and expectations are what is claimed: a bound on them
    holds within five standard errors of 2000 draws; a bias is found if it exceeds the
    empirical Bernstein bound (Maurer and Pontil 2009), about a fiftieth of the range of
    x_hat.

    Args:
        quantizer: yours.
        claims: about inputs that are no overload, made without a choice. An ordinary
            vector, of numbers about 1, must be among them, else nothing were checked.
        sizes: lengths d to try, one or more, the longest last; a quantizer for one length
            alone takes that.
        seed: of the inputs and draws, 0 or more.

    Raises:
        AssertionError: a promise is broken.
        ValueError: there are no sizes.
    """
    if not sizes:
        raise ValueError(f"check_quantizer: needs a length or more, got {sizes=}")
    decoders = [_decoder(quantizer, size) for size in sizes]
    for size, decoder in zip(sizes, decoders):
        vectors = _vectors(seed, size)
        keys = key_data(np.random.default_rng((seed, size)), len(vectors))
        x_hats, overloads = _check_vectors(quantizer, claims, decoder, vectors, keys)
        if quantizer.choose is not None:
            _check_options(quantizer, decoder, vectors, keys)
    # pyrefly: ignore[unbound-name] there is a size
    check_rows(quantizer, claims, vectors, keys, x_hats, overloads)


def _vectors(seed: int, size: int) -> dict[str, np.ndarray]:
    """Vectors f32[size] by name, the ordinary ones first."""
    ordinary = inputs(np.random.default_rng(seed), size)
    vectors = ordinary | extremes(size) | not_finite(size)
    return {f"{name} of length {size}": x for name, x in vectors.items()}


def _decoder(quantizer: Quantizer, size: int) -> jax.stages.Traced:
    """(key data, message) -> f32[size], from the layout alone."""

    def decode(key, message):
        return quantizer.decode(typed(key), message)

    where = f"vectors of length {size}"
    key = key_data(np.random.default_rng(0))
    message = message_like(quantizer.layout(size))
    program = traced_decoder(where, decode, key, message)
    came, wanted = shapes(program.out_info), f"float32[{size}]"
    require("estimate", came == wanted, where, wanted, came)
    return program


def _roundtrip(
    quantizer: Quantizer, decoder: jax.stages.Traced, size: int, choose: bool = False
) -> Callable[..., tuple[Message, jax.Array, jax.Array]]:
    """(key data, x, *told) -> message, overload and estimate, compiled.

    Told are the round and the choice if there is one to make, else nothing. The decoder
    is handed what crosses the link; that it has come as bytes is `through_bytes`'s word.
    """

    def encode(key, x, *told):
        encoder = quantizer.at(*told) if choose else quantizer
        return encoder.encode(typed(key), x), encoder.overload(x)

    where = f"vectors of length {size}"
    key = key_data(np.random.default_rng(0))
    told = 2 * (np.int32(0),) if choose else ()
    encoder = traced(where, encode, key, np.zeros(size, np.float32), *told)
    message, overload = encoder.out_info
    came, wanted = shapes(message), shapes(message_like(quantizer.layout(size)))
    require("message", came == wanted, where, wanted, came)
    require("overload", shapes(overload) == "bool[]", where, "bool[]", shapes(overload))

    def roundtrip(key, x, *told):
        message, overload = replayed(encoder)(key, x, *told)
        sent = jax.lax.optimization_barrier(message)
        return message, overload, replayed(decoder)(key, sent)

    return jax.jit(roundtrip)


def _check_vectors(
    quantizer: Quantizer,
    claims: Claims,
    decoder: jax.stages.Traced,
    vectors: dict[str, np.ndarray],
    keys: np.ndarray,
) -> tuple[list[np.ndarray], list[bool]]:
    """Messages about vectors of one length, the wire, and whatever must hold for each.

    Returns:
        Estimates of the vectors, f32[d] each, and whether they are overload.
    """
    where, size = next(iter(vectors)), len(next(iter(vectors.values())))
    layout = quantizer.layout(size)
    if claims.bits is not None:
        wanted = claims.bits(size)
        require("bits", layout.num_bits == wanted, where, wanted, layout.num_bits)
    roundtrip = _roundtrip(quantizer, decoder, size)
    x_hats, overloads = [], []
    for key, (name, x) in zip(keys, vectors.items()):
        message, overload, x_hat = jax.tree.map(np.asarray, roundtrip(key, x))
        _check_bits(layout, name, message)
        through_bytes(message, layout, name)
        if np.isfinite(x).all():
            _check_estimate(claims, name, x, x_hat, bool(overload))
        x_hats.append(x_hat)
        overloads.append(bool(overload))
    _check_scales(roundtrip, list(vectors.items())[:ORDINARY], keys, x_hats, overloads)
    if claims.unbiased or claims.error or claims.squared_error:
        idle = all(overloads[:ORDINARY])
        must = "no overload for an ordinary vector, so that claims are checked"
        require("overload", not idle, where, must, "overload for all")
    return x_hats, overloads


def _check_scales(
    roundtrip: Callable[..., tuple[Message, jax.Array, jax.Array]],
    ordinary: Sequence[tuple[str, np.ndarray]],
    keys: np.ndarray,
    x_hats: Sequence[np.ndarray],
    overloads: Sequence[bool],
) -> None:
    """A grid that follows x by small powers of two follows it by large ones."""

    def scaled(key, x, exponent):
        _, overload, x_hat = roundtrip(key, np.ldexp(x, exponent))
        return np.ldexp(np.asarray(x_hat), -exponent), bool(overload)

    cases = list(zip(keys, ordinary, x_hats, overloads))
    for key, (_, x), x_hat, _ in cases:
        if not all(near(x_hat, scaled(key, x, exponent)[0]) for exponent in (2, 4)):
            return  # the grid is of a size of its own
    for (key, (name, x), x_hat, overload), exponent in itertools.product(
        cases, EXPONENTS
    ):
        where = f"{name}, times 2^{exponent}"
        came, overloaded = scaled(key, x, exponent)
        require("scale", near(x_hat, came), where, f"2^{exponent} {x_hat}", came)
        alike = overload == overloaded
        require("scale", alike, where, f"overload {overload}", overloaded)


def _check_options(
    quantizer: Quantizer,
    decoder: jax.stages.Traced,
    vectors: dict[str, np.ndarray],
    keys: np.ndarray,
) -> None:
    """The same of every option, in the first round and in a late one; claims are none."""
    size = len(next(iter(vectors.values())))
    layout = quantizer.layout(size)
    roundtrip = _roundtrip(quantizer, decoder, size, choose=True)
    for told in itertools.product((0, LATE), range(len(layout.options))):
        for key, (name, x) in zip(keys, vectors.items()):
            where = "{}, round {}, option {}".format(name, *told)
            message, _, x_hat = roundtrip(key, x, *map(np.int32, told))
            _check_bits(layout, where, message)
            through_bytes(message, layout, where)
            finite = np.isfinite(x_hat).all() or not np.isfinite(x).all()
            require("finite", finite, where, "finite", x_hat)


def _check_bits(layout: Layout, where: str, message: Message) -> None:
    """As long as the layout, or an option, or within what an entropy code may take."""
    must, sent = " or ".join(map(str, layout.lengths)), int(message.num_bits)
    must = f"at most {must}" if layout.coded else must
    require("bits", layout.of_length(sent) is not None, where, must, sent)


def _check_estimate(
    claims: Claims, where: str, x: np.ndarray, x_hat: np.ndarray, overload: bool
) -> None:
    """Finite; zero is zero; the error bound, or x that underflows to zero."""
    require("finite", np.isfinite(x_hat).all(), where, "finite", x_hat)
    if claims.zero and not x.any():
        require("zero", not x_hat.any(), where, "exactly 0", x_hat)
    if claims.error is not None and not overload:
        largest = np.abs(x).max()
        error = np.abs(x - x_hat).max()
        with jax.enable_x64(True):  # squares of the extremes are no f32
            claimed = float(claims.error(x.astype(np.float64)))
        bound = (1 + 1e-4) * claimed + 1e-6 * largest
        bound = max(bound, largest) if largest < LEAST else bound
        require("error", error <= bound, where, f"at most {bound:.6g}", error)
