"""A quantizer plus what each end of the link remembers."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.quantizers import Layout, Message, Quantizer
from flq_jax.quantizers.base import both_exact, exactly

Memory = Any


class Broadcast(NamedTuple):
    """What a client hears with the model.

    Attributes:
        round_index: i32[], counted from 0.
        movements: f32[h], newest first: ||theta^k - theta^(k-1)||^2 / step^2 of the
            server model over the last h rounds, zero where there was no round yet. The
            step is the server's on the mean update, so a movement is in units of
            ||update||^2.
        choice: i32[], which of its options this client's quantizer is to use, see
            `one_of`; it differs from client to client. Nothing that decodes needs it.
        turn: i32[], the client's place among those whom the network asks in this round,
            from 0; it differs from client to client, and decoding is told it, too.
        shared: a key that all clients of a round and the server have; () where nobody
            told one.
    """

    round_index: jax.Array | np.integer | int = 0
    movements: jax.Array | np.ndarray | tuple[()] = ()
    choice: jax.Array | np.ndarray | np.integer | int = 0
    turn: jax.Array | np.ndarray | np.integer | int = 0
    shared: jax.Array | np.ndarray | tuple[()] = ()

    @property
    def told(self) -> tuple:
        """What a quantizer is told, the arguments of `Quantizer.at`."""
        return self.round_index, self.choice


NO_BROADCAST = Broadcast()


class Compressor(NamedTuple):
    """A link with memory: x_hat follows x, message by message.

    A silent message (num_bits = 0) is decoded too: it leaves the server's memory as it
    was, and where the server remembers the client's last estimate, it decodes to that.

    Attributes:
        init: d -> (client memory, server memory) before the first round.
        encode: (key, x, client memory, broadcast) -> (Message, client memory).
        decode: (key, message, server memory, broadcast) -> (x_hat f32[d], server
            memory); `key` is the encoder's.
        layout: d -> `Layout` of the messages about f32[d].
        overload: (x, client memory, broadcast) -> bool[], see `Quantizer.overload`.
        estimate: client memory -> f32[d], the estimate that the server holds of this
            client, as the client knows it; None if the server holds none. Then a silent
            client counts for nothing in the server's mean.
        history: h, how many movements `encode` wants in the broadcast.
        scheduled: whether its grid changes from round to round as agreed in advance.
        transforms: whether x_hat follows something made of x, such as an average, and
            not x itself.
        silent: whether a client may have nothing to say, by a rule of its own.
        warm_up: rounds at the start in which it sends floats, see `Quantizer`.
        beta: of the average of x that it sends, see `momentum`; 0 where it sends x.
        rate: of the steps by which a reference follows x, see `innovation`; 1 where there
            is none.
        turns: whether a client must know its turn and the round's shared key, see
            `Broadcast`.
        mirrored: the client's memory -> what the server remembers of it, which decoding
            takes, as arrays of that memory; None where that is nothing. A simulation
            keeps them once.
    """

    init: Callable[[int], tuple[Memory, Memory]]
    encode: Callable[..., tuple[Message, Memory]]
    decode: Callable[..., tuple[jax.Array, Memory]]
    layout: Callable[[int], Layout]
    overload: Callable[..., jax.Array]
    estimate: Callable[[Memory], jax.Array] | None = None
    history: int = 0
    scheduled: bool = False
    transforms: bool = False
    silent: bool = False
    warm_up: int = 0
    beta: float = 0.0
    rate: float = 1.0
    turns: bool = False
    mirrored: Callable[[Memory], Memory] | None = None

    @property
    def exact(self) -> bool:
        """Whether x_hat = x, bit for bit, for any x, and nobody remembers anything: see
        `Quantizer.exact`."""
        return both_exact(self.encode, self.decode)


def require_quantizer(where: str, quantizer: Quantizer, why: str) -> None:
    """Raises TypeError, with the reason, unless `quantizer` is a `Quantizer`."""
    if inspect.isfunction(quantizer):
        name = quantizer.__name__
        raise TypeError(
            f"{where}: needs a quantizer, got the function {name}: {name}(...) calls it"
        )
    if not isinstance(quantizer, Quantizer):
        came, made = type(quantizer).__name__, getattr(quantizer, "__name__", "")
        why = f"{made}(...) makes one" if made else why
        raise TypeError(f"{where}: needs a quantizer, got a {came}: {why}")


def require_any_round(where: str, quantizer: Quantizer, why: str) -> None:
    """Raises ValueError, with the reason, if the grid shrinks on a schedule."""
    if quantizer.schedule is not None:
        raise ValueError(f"{where}: takes no grid with a prescribed radius: {why}")


def silence(message: Message, send: jax.Array) -> Message:
    """The message itself if `send` (bool[]), otherwise silence: all zeros."""
    return jax.tree.map(
        lambda leaf: jnp.where(send, leaf, jnp.zeros_like(leaf)), message
    )


def around(
    compressor: Compressor, init: Callable, encode: Callable, overload: Callable
) -> Compressor:
    """A link that wraps another's client, of which its own memory has the `inner`.

    The server is the inner link's, and what it remembers and estimates is told from the
    inner memory.

    Args:
        compressor: what is wrapped.
        init, encode, overload: see `Compressor`; of a memory with the field `inner`.
    """

    def of_inner(
        tell: Callable[[Memory], Any] | None,
    ) -> Callable[[Memory], Any] | None:
        return None if tell is None else lambda memory: tell(memory.inner)

    return compressor._replace(
        init=init,
        encode=encode,
        overload=overload,
        estimate=of_inner(compressor.estimate),
        mirrored=of_inner(compressor.mirrored),
    )


def echo(
    compressor: Compressor,
    key: jax.Array,
    message: Message,
    before: Memory,
    memory: Memory,
    broadcast: Broadcast,
) -> jax.Array:
    """x_hat, f32[d], what the server makes of a client's message, as the client knows it.

    Args:
        compressor: the link.
        key: the encoder's, cloned.
        message: what `encode` gave.
        before: the client's memory with which it was made.
        memory: the client's, afterwards.
        broadcast: what it was told.
    """
    if compressor.estimate is not None:
        return compressor.estimate(memory)
    server = () if compressor.mirrored is None else compressor.mirrored(before)
    x_hat, _ = compressor.decode(key, message, server, broadcast)
    return x_hat


def direct(quantizer: Quantizer) -> Compressor:
    """Sends Q(x); nobody remembers anything: x_hat = Q(x).

    Args:
        quantizer: a `Quantizer`, else TypeError, without a schedule, else ValueError.
    """
    require_quantizer("direct", quantizer, "a compressor needs no wrapping")
    require_any_round("direct", quantizer, "x itself does not shrink to zero")

    def init(d):
        del d
        return (), ()

    def encode(key, x, memory, broadcast=NO_BROADCAST):
        return quantizer.at(*broadcast.told).encode(key, x), memory

    def decode(key, message, memory, broadcast=NO_BROADCAST):
        del broadcast
        x_hat = quantizer.decode(key, message)
        return jnp.where(message.num_bits > 0, x_hat, 0.0), memory

    if quantizer.exact:
        encode, decode = exactly(encode), exactly(decode)

    def overload(x, memory, broadcast=NO_BROADCAST):
        del memory
        return quantizer.at(*broadcast.told).overload(x)

    return Compressor(
        init, encode, decode, quantizer.layout, overload, warm_up=quantizer.warm_up
    )
