"""The two ends of a link as programs, traced apart: a decoder before any encoder ran."""

from collections.abc import Callable
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np

from flq_jax.quantizers import Layout, Message
from flq_jax.testing.common import require


def key_data(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Raw keys u32[*shape, w], which `typed` makes keys of inside a program."""
    words = jax.eval_shape(lambda: jax.random.key_data(jax.random.key(0))).shape
    return rng.integers(2**32, size=shape + words, dtype=np.uint32)


def typed(data: jax.Array | np.ndarray) -> jax.Array:
    """The key of such data."""
    # pyrefly: ignore[bad-argument-type] NumPy's words are taken too
    return jax.random.wrap_key_data(data)


def message_like(layout: Layout) -> Message:
    """The shapes and dtypes of a message of that layout."""
    leaves = (
        jax.ShapeDtypeStruct((layout.num_codes,), layout.code_dtype),
        jax.ShapeDtypeStruct((layout.num_sides,), jnp.float32),
        jax.ShapeDtypeStruct((), jnp.int32),
    )
    return Message(*leaves)  # pyrefly: ignore[bad-argument-type] shapes of arrays


def traced(where: str, function: Callable, *args: Any) -> jax.stages.Traced:
    """The program of a function at these arguments, arrays or their shapes.

    Raises:
        AssertionError: it draws from one key twice.
    """
    try:
        with jax.debug_key_reuse(True):
            return jax.jit(lambda *args: function(*args)).trace(*args)
    except jax.errors.KeyReuseError as error:
        must = "each drawn from once, or spelt jax.random.clone"
        raise AssertionError(f"keys: {where}: must be {must}, got {error}") from error


def traced_decoder(where: str, function: Callable, *args: Any) -> jax.stages.Traced:
    """The same of a decoder, which must be made of its arguments alone.

    Raises:
        AssertionError: it cannot be traced without an encoder, or asks the host.
    """
    must = "made of its arguments alone"
    try:
        program = traced(where, function, *args)
    except (LookupError, NameError, AttributeError) as error:
        came = repr(error)
        raise AssertionError(f"decoder: {where}: must be {must}, got {came}") from error
    text = str(program.jaxpr)
    asks = [name for name in ("pure_callback", "io_callback") if f"{name}[" in text]
    require("decoder", not asks, where, must, " and ".join(asks))
    return program


def replayed(program: jax.stages.Traced) -> Callable:
    """The function that was traced, as it was traced, to be part of another program."""
    run, tree = jax.extend.core.jaxpr_as_fun(program.jaxpr), program.out_info
    return lambda *args: jax.tree.unflatten(
        jax.tree.structure(tree), run(*jax.tree.leaves(args))
    )


def shapes(tree: Any) -> str:
    """Shapes and dtypes of a tree's leaves, as JAX prints them, with their names."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    parts = [f"{leaf.dtype}{list(leaf.shape)}" for _, leaf in leaves]
    names = [jax.tree_util.keystr(path).lstrip(".") for path, _ in leaves]
    return ", ".join(f"{name} {part}".strip() for name, part in zip(names, parts))
