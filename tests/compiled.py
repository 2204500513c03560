"""What a program exchanges between devices, and how it multiplies, read from its text."""

import re

COLLECTIVE = re.compile(
    r"= (?P<what>.*?) (?P<how>all-reduce|all-gather|all-to-all|collective-permute|"
    r"collective-broadcast|reduce-scatter|ragged-all-to-all)(-start)?\("
)
ARRAY = re.compile(r"(\w+)\[([\d,]*)\]")


def collectives(program):
    """Pairs (which collective, the shapes of its results as XLA prints them), sorted."""
    found = COLLECTIVE.finditer(program.as_text())
    return sorted((match["how"], match["what"]) for match in found)


def arrays(what):
    """Pairs (dtype, shape) of the arrays that such a text names."""
    return [
        (dtype, tuple(int(n) for n in shape.split(",") if n))
        for dtype, shape in ARRAY.findall(what)
    ]


def rounded_products(lowered):
    """The products of a lowered program whose factors an accelerator may round."""
    lines = [line for line in lowered.as_text().splitlines() if "dot_general" in line]
    assert lines, "no products"
    return [line for line in lines if "precision = [HIGHEST, HIGHEST]" not in line]
