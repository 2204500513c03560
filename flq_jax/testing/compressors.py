"""The contract of compressors."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np

from flq_jax.compressors.base import Broadcast, Compressor, silence
from flq_jax.quantizers import Message
from flq_jax.testing.common import not_finite, require, same, through_bytes
from flq_jax.testing.quantizers import check_transforms


def check_compressor(
    compressor: Compressor, *, size: int = 23, rounds: int = 100, seed: int = 0
) -> None:
    """Checks that both ends of a link stay together, message by message.

    A server that reads bytes hears `rounds` messages, of which three in ten get lost. A
    message is silent, all zeros and 0 bits, or as the layout has it; silence leaves the
    server's memory alone; where the server holds an estimate, it is bit for bit the one
    that the client believes it holds, and is what silence decodes to; elsewhere silence
    decodes to zero. Memories keep their shapes and dtypes; jit is eager, vmap a loop.

    Args:
        compressor: yours.
        size: d, 1 or more.
        rounds: 1 or more.
        seed: of the inputs and losses, 0 or more.

    Raises:
        AssertionError: a promise is broken.
    """
    key = jax.random.key(seed)
    encode, decode = jax.jit(partial(_sent, compressor)), jax.jit(compressor.decode)
    key_first = jax.random.fold_in(key, rounds)
    _check_first_message(compressor, encode, key_first, size)
    layout, remembered = compressor.layout(size), compressor.estimate is not None
    client, server = compressor.init(size)
    rng = np.random.default_rng(seed)
    lost = rng.random(rounds) < 0.3
    for k, x in enumerate(_walk(rng, rounds, size)):
        where, key_round = f"round {k}", jax.random.fold_in(key, k)
        broadcast = Broadcast(
            np.int32(k), np.full(compressor.history, 1e-3, np.float32)
        )
        message, after = encode(key_round, x, client, broadcast, not lost[k])
        require("memory", _like(client, after), where, "the client's shapes", "others")
        client = client if lost[k] else after
        received = through_bytes(message, layout, where)
        before = server
        key_round = jax.random.clone(key_round)
        x_hat, server = decode(key_round, received, before, broadcast)
        require("memory", _like(before, server), where, "the server's shapes", "others")
        x_hat = np.asarray(x_hat)
        require("estimate", np.isfinite(x_hat).all(), where, "finite", x_hat)
        if remembered:
            believed = compressor.estimate(client)
            agree = same(believed, x_hat)
            require("memory", agree, where, f"the client's {believed}", x_hat)
        if not int(message.num_bits):
            agree = same(before, server)
            require("silence", agree, where, "the memory as it was", "another")
            if not remembered:
                require("silence", not x_hat.any(), where, "x_hat = 0", x_hat)


def _sent(
    compressor: Compressor, key: jax.Array, x, memory: Any, broadcast: Broadcast, heard
) -> tuple[Message, Any]:
    """The message, silenced unless `heard`, and the client's memory after it."""
    message, memory = compressor.encode(key, x, memory, broadcast)
    return silence(message, heard), memory


def _check_first_message(
    compressor: Compressor, encode: Callable, key: jax.Array, size: int
) -> None:
    """jit is eager, vmap a loop, and NaN makes a message that can be sent."""
    broadcast = Broadcast(np.int32(0), np.zeros(compressor.history, np.float32))

    def one(k, x):
        client, server = compressor.init(size)
        message, _ = compressor.encode(k, x, client, broadcast)
        return compressor.decode(jax.random.clone(k), message, server, broadcast)[0]

    xs = _walk(np.random.default_rng(0), 3, size)
    keys = jax.random.split(key, len(xs))
    mapped = jax.jit(jax.vmap(one))(jax.random.clone(keys), xs)
    check_transforms(one, keys, xs, np.asarray(mapped))
    client, _ = compressor.init(size)
    for name, x in not_finite(size).items():
        message, _ = encode(jax.random.clone(key), x, client, broadcast, True)
        through_bytes(message, compressor.layout(size), name)


def _walk(rng: np.random.Generator, rounds: int, size: int) -> np.ndarray:
    """Vectors that change more and more slowly, f32[rounds, size]."""
    steps = rng.standard_normal((rounds, size)) * 0.95 ** np.arange(rounds)[:, None]
    return np.cumsum(steps, axis=0).astype(np.float32)


def _like(a: Any, b: Any) -> bool:
    """Whether two memories have the same structure, shapes and dtypes."""
    a, b = jax.tree.map(np.asarray, (a, b))
    if jax.tree.structure(a) != jax.tree.structure(b):
        return False
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b))
    return all((x.shape, x.dtype) == (y.shape, y.dtype) for x, y in pairs)
