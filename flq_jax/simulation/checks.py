"""Whether a caller's functions fit the examples, told by shapes: nothing is compiled."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax import keys
from flq_jax.data import ClientData
from flq_jax.federated import LocalUpdate, Loss, whole
from flq_jax.simulation.examples import Examples
from flq_jax.simulation.parts import require_kind
from flq_jax.simulation.start import padded_length


def float32_params(params: Any) -> Any:
    """The params as f32 arrays of their own; ValueError unless they are finite floats, one or more."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    if not leaves:
        raise ValueError("Simulation: params must hold at least one array, got none")
    for path, leaf in leaves:
        name = f"params{jax.tree_util.keystr(path)}"
        try:
            array = np.asarray(leaf)
            finite = bool(np.all(np.isfinite(array)))
        except (TypeError, ValueError):
            array = finite = None
        if array is None or not jnp.issubdtype(array.dtype, jnp.floating):
            came = type(leaf).__name__ if array is None else array.dtype
            raise ValueError(f"Simulation: {name} must be floats, got {came}")
        if not finite or not array.size:
            came = "some that are not" if array.size else "none"
            raise ValueError(f"Simulation: {name} must be finite numbers, got {came}")
    return jax.tree.map(lambda leaf: jnp.array(leaf, jnp.float32), params)


def root(seed: int) -> jax.Array:
    """The run's key; ValueError unless the seed is in 0..2^32 - 1."""
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"Simulation: seed must be in 0..2^32 - 1, got {seed!r}")
    return keys.seed_key(seed)


def count(params: Any) -> int:
    """d, the numbers in all arrays of the params."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def num_broadcast(client: LocalUpdate, params: Any) -> int:
    """d, the numbers that a broadcast to such clients holds, see `LocalUpdate`."""
    return count(jax.eval_shape(client.broadcast, params))


def require_client(
    client: LocalUpdate, loss: Loss, params: Any, given: Examples
) -> int:
    """Raises ValueError unless the client and the loss take these examples.

    Returns:
        The rows of each client's arrays.
    """
    require_kind("client", client, LocalUpdate, "Simulation")
    sizes = [len(part) for part in given.parts]
    longest = padded_length(sizes, client.reads_all)
    shard = shard_of(given.inputs, given.targets, longest)
    require_loss(loss, params, shard)
    require_update(client, params, shard)
    return longest


def require_loss(loss: Loss, params: Any, shard: ClientData) -> None:
    """Raises ValueError unless loss(params, *whole(shard), key) is a number, f32[].

    Args:
        loss: of a client.
        params: the model, or its shapes.
        shard: shapes of one client's examples.
    """
    hint = (
        "flq.mean_of makes one of (params, inputs, targets) -> a loss of each example"
    )

    def found(params, shard, key):
        return loss(params, *whole(shard), key)

    value = _shapes("loss", hint, found, params, shard, _key())
    if not _is(value, (), jnp.float32):
        raise ValueError(
            "Simulation: loss must give a number, float32[], of (params, inputs, targets, "
            f"weights, key), got {_types(value)}; {hint}"
        )


def require_update(work: LocalUpdate, params: Any, shard: ClientData) -> None:
    """Raises ValueError unless a client gives what a `LocalUpdate` says."""
    hint = "it must be (key, params, shard, memory) -> (loss, update, memory)"
    params = jax.eval_shape(work.broadcast, params)
    memory = _shapes("client.init", "it must be params -> memory", work.init, params)
    found = _shapes("client.update", hint, work.update, _key(), params, shard, memory)
    if not isinstance(found, tuple) or len(found) != 3:
        raise ValueError(f"Simulation: client.update: {hint}, got {_types(found)}")
    for name, value, like in zip(
        ("loss", "update", "memory"),
        found,
        (jax.ShapeDtypeStruct((), jnp.float32), params, memory),
        strict=True,
    ):
        if _types(value) != _types(like):
            raise ValueError(
                f"Simulation: client.update must give as its {name} {_types(like)}, got "
                f"{_types(value)}"
            )


def require_metrics(
    metrics: Mapping[str, Callable], params: Any, test: ClientData, taken: set[str]
) -> None:
    """Raises ValueError unless each metric gives a number for each example.

    Args:
        metrics: (params, inputs, targets) -> [b], by name.
        params: the model, or its shapes.
        test: shapes of examples.
        taken: names that a line of figures has already.
    """
    if not isinstance(metrics, Mapping):
        raise ValueError(  # noqa: TRY004 told as the others are
            f"Simulation: evaluate must be name -> function, got {metrics!r:.60}"
        )
    for name, metric in metrics.items():
        where = f"evaluate[{name!r}]"
        if not isinstance(name, str) or name in taken or not callable(metric):
            raise ValueError(
                "Simulation: evaluate must be functions by names of their own, not one of "
                f"{sorted(taken)}, got {name!r}: {_name(metric)}"
            )
        hint = "it must be (params, inputs, targets) -> a number for each example"

        def found(params, shard, metric=metric):
            return metric(params, *whole(shard)[:2])

        value = _shapes(where, hint, found, params, test)
        rows = test.labels.shape[0]
        allowed = [(rows,)]
        if getattr(metric, "of_mean", None) is not None:
            allowed.append((rows, *getattr(value, "shape", ())[1:2]))
        if not any(_is(value, shape) for shape in allowed):
            raise ValueError(
                f"Simulation: {where}: {hint}, [{rows}], got {_types(value)}"
            )


def shard_of(inputs: np.ndarray, targets: np.ndarray, rows: int) -> ClientData:
    """The shapes of so many examples of one client."""

    def some(array) -> Any:
        return jax.ShapeDtypeStruct((rows, *array.shape[1:]), array.dtype)

    sizes: Any = jax.ShapeDtypeStruct((), jnp.int32)
    return ClientData(some(inputs), some(targets), sizes)


def _shapes(where: str, hint: str, function: Callable, *arguments: Any) -> Any:
    """What a caller's function gives; whatever it raises becomes one ValueError."""
    try:
        return jax.eval_shape(function, *arguments)
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        raise ValueError(
            f"Simulation: {where} does not take these params and examples: "
            f"{type(error).__name__}: {reason:.200}; {hint}"
        ) from error


def _key() -> Any:
    return jax.eval_shape(lambda: keys.seed_key(0))


def _is(value: Any, shape: tuple[int, ...], dtype: Any = None) -> bool:
    is_array = isinstance(value, jax.ShapeDtypeStruct)
    return is_array and value.shape == shape and dtype in (None, value.dtype)


def _types(tree: Any) -> str:
    """A tree with its arrays as "float32[2, 3]"."""
    return str(jax.tree.map(lambda x: _Name(f"{x.dtype}{list(x.shape)}"), tree))


class _Name(str):
    """Text that stands in a tree without quotes."""

    __repr__ = str.__str__


def _name(value: Any) -> str:
    return getattr(value, "__name__", None) or f"a {type(value).__name__}"
