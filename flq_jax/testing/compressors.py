"""The contract of compressors."""

from typing import Any

import jax
import numpy as np

from flq_jax.compressors.base import Broadcast, Compressor
from flq_jax.quantizers import Message
from flq_jax.testing.common import near, not_finite, require, same, through_bytes
from flq_jax.testing.link import Link, keyed, link_of, untold
from flq_jax.testing.programs import key_data, typed

CLIENTS = 3  # whose memories are carried together
ROUNDS = 3  # for which they are


def check_compressor(
    compressor: Compressor,
    *,
    size: int = 23,
    rounds: int = 100,
    seed: int = 0,
    follows: float | None = None,
) -> None:
    """Checks that both ends of a link stay together, message by message.

    A server that reads bytes hears `rounds` messages, of which three in ten get lost. A
    message is silent, all zeros and 0 bits, or as the layout has it, by each option in
    turn where there is a choice, of which the decoder is not told; silence by a rule of
    its own needs `silent`. Silence leaves the server's memory alone; where the server
    holds an estimate, it is bit for bit the one that the client believes it holds, and is
    what silence decodes to; elsewhere silence decodes to zero. What is `mirrored` is the
    server's memory, bit for bit, whatever is silent or lost. Memories keep their shapes
    and dtypes; vmap over clients, round after round, is a loop; x is heeded: somewhere on
    the way -x makes another message. Keys and decoders are as in `check_quantizer`.

    Whether x_hat follows x is not checked unless you say how near it comes: links that
    keep all of the above may circle around x (`innovation(uniform(1))`) or be silent
    about it (`lazy`). A wrong sign in an error that is fed back shows only here.

    Args:
        compressor: yours.
        size: d, 1 or more.
        rounds: 1 or more.
        seed: of the inputs and losses, 0 or more.
        follows: a bound on ||x_bar - x|| / ||x|| after `rounds` rounds of one and the
            same Gaussian x, none lost, with a model at rest: x_bar is the last x_hat
            where the server holds an estimate, elsewhere the mean of them all. None for
            no such claim.

    Raises:
        AssertionError: a promise is broken.
    """
    link = link_of(compressor, size)
    rng = np.random.default_rng(seed)
    keys = key_data(rng, rounds)
    for key, (name, x) in zip(key_data(rng, 3), not_finite(size).items()):
        message, *_ = link.encode(key, x, link.memory[0], link.told(0, 0))
        through_bytes(message, link.layout, name)
    _check_walk(compressor, link, keys, _walk(rng, rounds, size), rng)
    _check_clients(compressor, link, rng, size)
    if follows is not None:
        x = rng.standard_normal(size).astype(np.float32)
        _check_follows(compressor, link, keys, x, follows)


def _check_walk(
    compressor: Compressor,
    link: Link,
    keys: np.ndarray,
    xs: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """One client's messages about each x in turn, some of which get lost."""
    lost = rng.random(len(xs)) < 0.3
    client, server = link.memory
    spoke = heeded = False
    for k, (key, x) in enumerate(zip(keys, xs)):
        where, broadcast = f"round {k}", link.told(k, k)
        said, after, beliefs = link.encode(key, x, client, broadcast)
        require("memory", _like(client, after), where, "the client's shapes", "others")
        allowed = bool(said.num_bits) or compressor.silent
        require("silence", allowed, where, "of a link with silent=True", "silent=False")
        if not heeded:
            other, *_ = link.encode(key, -x, client, broadcast)
            spoke |= bool(said.num_bits)
            heeded = not same(said, other)
        message = _silenced(said) if lost[k] else said
        client = client if lost[k] else after
        believed = beliefs[0 if lost[k] else 1] if beliefs else None
        server = _check_arrival(link, key, message, server, broadcast, believed)
        if compressor.mirrored is not None:
            mirrored = compressor.mirrored(client)
            agree = _like(mirrored, server) and same(mirrored, server)
            require("mirrored", agree, where, f"the server's {server}", mirrored)
    must = "another message about -x than about x"
    require("x", heeded or not spoke, f"{len(xs)} rounds", must, "always the same")


def _check_arrival(
    link: Link,
    key: np.ndarray,
    message: Message,
    before: Any,
    broadcast: Broadcast,
    believed: jax.Array | None,
) -> Any:
    """The server's memory after a message, from bytes, that it decodes as it must."""
    where = f"round {broadcast.round_index}"
    received = through_bytes(message, link.layout, where)
    x_hat, server = link.decode(key, received, before, untold(broadcast))
    require("memory", _like(before, server), where, "the server's shapes", "others")
    x_hat = np.asarray(x_hat)
    require("estimate", np.isfinite(x_hat).all(), where, "finite", x_hat)
    if broadcast.choice:
        told, _ = link.decode(key, received, before, broadcast)
        must = f"{x_hat}, as without choice={broadcast.choice}"
        require("choice", same(told, x_hat), where, must, told)
    if believed is not None:
        agree = same(believed, x_hat)
        require("memory", agree, where, f"the client's {believed}", x_hat)
    if not int(message.num_bits):
        agree = same(before, server)
        require("silence", agree, where, "the memory as it was", "another")
        if believed is None:
            require("silence", not x_hat.any(), where, "x_hat = 0", x_hat)
    return server


def _check_clients(
    compressor: Compressor, link: Link, rng: np.random.Generator, size: int
) -> None:
    """One round under vmap is the loop over its clients, up to f32's rounding."""

    def one(key, x, client, server, broadcast):
        told = keyed(broadcast)
        message, client = compressor.encode(typed(key), x, client, told)
        told = untold(keyed(broadcast))
        x_hat, server = compressor.decode(typed(key), message, server, told)
        return x_hat, client, server

    # pyrefly: ignore[bad-argument-type] axes of leaves, not leaves
    axes = Broadcast(None, None, 0, 0, None)
    together = jax.jit(jax.vmap(one, (0, 0, 0, 0, axes)))
    xs = rng.standard_normal((ROUNDS, CLIENTS, size), np.float32)
    keys = key_data(rng, ROUNDS, CLIENTS)
    memories = jax.tree.map(lambda leaf: np.stack([leaf] * CLIENTS), link.memory)
    for k in range(ROUNDS):
        broadcasts = [link.told(k, k + i) for i in range(CLIENTS)]
        shared = broadcasts[0]._replace(
            choice=np.stack([broadcast.choice for broadcast in broadcasts]),
            turn=np.stack([broadcast.turn for broadcast in broadcasts]),
        )
        came = together(keys[k], xs[k], *memories, shared)
        came = jax.tree.map(np.asarray, came)
        for i, broadcast in enumerate(broadcasts):
            client, server = _row(memories, i)
            key = keys[k, i]
            message, client, _ = link.encode(key, xs[k, i], client, broadcast)
            x_hat, server = link.decode(key, message, server, untold(broadcast))
            alone, row = jax.tree.leaves((x_hat, client, server)), _row(came, i)
            for wanted, leaf in zip(alone, jax.tree.leaves(row)):
                where = f"round {k}, client {i} of {CLIENTS}"
                require("vmap", near(wanted, leaf), where, f"the loop's {wanted}", leaf)
        memories = came[1:]


def _check_follows(
    compressor: Compressor, link: Link, keys: np.ndarray, x: np.ndarray, follows: float
) -> None:
    """How near x_hat, or its mean, has come to an x that does not change."""
    (client, server), x_hats = link.memory, []
    for k, key in enumerate(keys):
        broadcast = link.told(k, k)
        broadcast = broadcast._replace(movements=np.zeros_like(broadcast.movements))
        message, client, _ = link.encode(key, x, client, broadcast)
        x_hat, server = link.decode(key, message, server, untold(broadcast))
        x_hats.append(np.asarray(x_hat))
    x_bar = np.mean(x_hats, axis=0) if compressor.estimate is None else x_hats[-1]
    off = np.linalg.norm(x_bar - x) / np.linalg.norm(x)
    must = f"||x_bar - x|| / ||x|| at most {follows:.6g}"
    holds = off <= (1 + 1e-4) * follows + 1e-6
    require("follows", holds, f"{len(keys)} rounds of one x", must, off)


def _silenced(message: Message) -> Message:
    return jax.tree.map(lambda leaf: np.zeros_like(np.asarray(leaf)), message)


def _row(tree: Any, index: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[index], tree)


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
