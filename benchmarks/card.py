"""A truth card: contestants on the same work, as a table and as a picture."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from flq_jax.kernels import Codes, pack
from flq_jax.kernels.dispatch import Shape, choose

from .timing import in_a_row, interleaved, median_ratio

REPEATS = flags.DEFINE_integer("card_repeats", 9, "Timed calls of each form.", 1)
PLAIN = {
    "f32": (jnp.float32, jnp.float32),
    "bf16": (jnp.bfloat16, jnp.float32),
    "int8": (jnp.int8, jnp.int32),
}
PACKED = ("packed", "packing")
PAUSE = 0.002  # s; no NumPy here
CALLS = 5  # in a row: what a form takes when it is at work


class Row(NamedTuple):
    """One piece of work.

    Attributes:
        work: what is multiplied.
        bits: of both operands.
        exact: whether all low-bit results equal integer arithmetic.
        chosen: the back end that dispatch takes for loose inputs and packed weights.
        speed: contestant -> how many times as fast as f32.
        regret: how many times as long as the best back end the chosen one takes.
    """

    work: str
    bits: tuple[int, int]
    exact: bool
    chosen: str
    speed: dict[str, float]
    regret: float


def measured(
    work: str,
    operands: tuple[Codes, Codes],
    low_bit: Callable[..., jax.Array],
    plain: Callable[..., jax.Array],
    expected: np.ndarray,
    rule: Shape,
    repeats: int,
) -> Row:
    """Times one piece of work in every form, and compares the low-bit results.

    Args:
        work: its name.
        operands: both, as codes; the second is packed beforehand along axis -2.
        low_bit: (first, second, backend=...) -> i32, the product of packed words.
        plain: (first, second, wide) -> XLA's product of floats or bytes, summed in
            the type `wide`.
        expected: the exact result.
        rule: what dispatch looks at, but for what is packed.
        repeats: timed calls of each form.
    """
    first, second = operands
    words = jax.jit(pack)(first), jax.jit(lambda codes: pack(codes, -2))(second)
    contestants = {
        name: _timed(
            lambda a, b, wide=wide: plain(a, b, wide),
            first.values.astype(narrow),
            second.values.astype(narrow),
        )
        for name, (narrow, wide) in PLAIN.items()
    }
    forms = {
        "lax_dot": ("lax_dot", first),
        "packed": ("lax_popcount", words[0]),
        "packing": ("lax_popcount", first),
    }
    for name, (backend, left) in forms.items():
        product = partial(low_bit, backend=backend)
        contestants[name] = _timed(product, left, words[1])
    exact = all(np.array_equal(contestants[name](), expected) for name in forms)
    chosen = choose("cpu", rule._replace(packed=(False, True)))
    rows = {name: in_a_row(call, CALLS) for name, call in contestants.items()}
    seconds = interleaved(rows, repeats, PAUSE)
    speed = {name: median_ratio(seconds["f32"], s) for name, s in seconds.items()}
    of = {"lax_popcount": speed["packing"], "lax_dot": speed["lax_dot"]}
    regret = max(of.values()) / of[chosen]
    return Row(work, (first.bits, second.bits), exact, chosen, speed, regret)


def _timed(function: Callable, *operands) -> Callable[[], jax.Array]:
    compiled = jax.jit(function)
    return lambda: compiled(*operands).block_until_ready()


def table(title: str, rows: list[Row]) -> None:
    """Prints the card; a speed below 1 is where popcounts lose to f32."""
    card = Table(title=title, title_justify="left")
    names = ("bf16", "int8", "lax_dot", *PACKED)
    for column in ("work", "bits", "exact", *names, "dispatch", "regret"):
        card.add_column(column, justify="left" if column == "work" else "right")
    for row in rows:
        cells = [_colored(row.speed[name], name in PACKED) for name in names]
        card.add_row(
            row.work,
            "x".join(map(str, row.bits)),
            "yes" if row.exact else "[red]NO",
            *cells,
            row.chosen,
            f"{row.regret:.2f}",
        )
    console = Console(width=120)
    console.print(card)
    fine = sum(row.regret <= 1.1 for row in rows)
    console.print(
        "Times as fast as f32 on the same shape, medians. packing: the first operand is "
        f"packed within.\nDispatch within 10 % of the best: {fine} of {len(rows)}."
    )


def _colored(speed: float, low_bit: bool) -> str:
    return f"[red]{speed:.2f}[/]" if low_bit and speed < 1.0 else f"{speed:.2f}"


def picture(title: str, rows: list[Row], path: str) -> None:
    """Draws the speeds against f32, one group of bars for each piece of work."""
    names = ("bf16", "int8", *PACKED)
    figure = Figure(figsize=(max(6.0, 0.55 * len(rows)), 4.5), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(rows))
    for i, name in enumerate(names):
        shift = (i - (len(names) - 1) / 2) / (len(names) + 1)
        heights = [row.speed[name] for row in rows]
        axes.bar(places + shift, heights, 1 / (len(names) + 1), label=name)
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_yscale("log")
    axes.set_ylabel("times as fast as f32")
    labels = [f"{row.work}\n{row.bits[0]}x{row.bits[1]} bit" for row in rows]
    axes.set_xticks(places, labels, rotation=90, fontsize=7)
    axes.set_title(title)
    axes.legend(ncols=len(names))
    figure.savefig(path, dpi=150)
