"""What `--summary` shows: what a config's model costs, and the memory of its run."""

import collections
from collections.abc import Iterable

from ml_collections import ConfigDict
from rich.table import Table

from flq_jax.models import LayerCost, layer_costs

from ..assembly.build import split
from ..assembly.check import require_fit
from ..assembly.memory import lines, memory, require_room
from ..assembly.setting import dataset_of, setting
from ..process import room
from ..process.console import WIDEST, console

KIB = 8 * 1024  # bits


def show(configs: Iterable[ConfigDict]) -> None:
    """Prints the layers of each config's model for examples of its data set, and what its
    run takes.

    `ConfigError` if it takes no such examples, or more memory than there is.
    """
    for config in configs:
        dataset = dataset_of(config)
        found = setting(config, dataset)
        _, *shape = found.example.shape
        costs = layer_costs(found.model, shape, found.example.dtype)
        console.print(table(config.model, costs), width=WIDEST)
        parts = split(config, dataset)
        state = require_fit(config, dataset, map(len, parts))
        taken, there = memory(config, dataset, parts, state), room.available()
        told = [*totals(costs), *lines(taken, there)]
        console.print("\n".join(told), markup=False)
        require_room("", taken, there)


def table(title: str, costs: list[LayerCost]) -> Table:
    """A row for each layer: widths, shapes, parameters by width, memory, work."""
    widths = sorted({width for cost in costs for width in cost.params})
    made = Table(
        title=f"{title}: parameters by width, MACs and bit operations an example"
    )
    made.add_column("layer")
    stored = [f"{width} bit" for width in widths]
    for name in ("W/A/G", "output", *stored, "KiB", "MACs", "bit op."):
        made.add_column(name, justify="right")
    for cost in costs:
        bits = cost.bits
        made.add_row(
            cost.name,
            f"{bits.weights}/{bits.activations}/{bits.gradients}",
            "x".join(map(str, cost.out)) or "-",
            *(f"{cost.params.get(width, 0):,}" for width in widths),
            f"{cost.num_bits / KIB:.2f}",
            f"{cost.macs:,}",
            f"{cost.bit_operations:,}",
        )
    return made


def totals(costs: list[LayerCost]) -> list[str]:
    """The sums over layers, one line each."""
    params = sum(count for cost in costs for count in cost.params.values())
    num_bits = sum(cost.num_bits for cost in costs)
    macs, by_width = sum(cost.macs for cost in costs), collections.Counter()
    for cost in costs:
        by_width[cost.bits.weights, cost.bits.activations] += cost.macs
    shares = ", ".join(
        f"{count / macs:.1%} at W{w} A{a}"
        for (w, a), count in sorted(by_width.items())
        if macs  # of layers of others nothing is known
    )
    shares = f": {shares}" * bool(shares)
    memory = f"{num_bits / KIB:,.2f} KiB, float32's {32 * params / KIB:,.2f}"
    return [
        f"parameters       {params:,}",
        f"memory           {memory} / {32 * params / num_bits:.2f}",
        f"multiply-adds    {macs:,} an example{shares}",
        f"bit operations   {sum(cost.bit_operations for cost in costs):,} (W A each)",
    ]
