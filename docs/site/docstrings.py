"""The house's docstrings as reStructuredText.

They have paragraphs, lists, blocks set in by four (equations, or code), names in single
backticks, and the sections Args, Attributes, Returns and Raises. Nothing else has a
meaning in them: stars, bars and underscores stand for themselves.
"""

import re
from collections.abc import Callable, Iterator
from textwrap import dedent, indent

SECTION = re.compile(r"^(Args|Attributes|Returns|Raises):$")
# `name: text` or `name, other: text`, and what is raised.
ITEM = re.compile(
    r"^(\*{0,2}[A-Za-z_][\w.]*(?:, \*{0,2}[A-Za-z_][\w.]*)*): +(.*)$", re.DOTALL
)
BULLET = re.compile(r"^(-|\d\.) +(.*)$", re.DOTALL)
SPECIAL = re.compile(r"([\\*_|])")
LIKE_A_LIST = re.compile(r"^(\w{1,4})([.)] )|^([-+:]) ")

Name = Callable[[str], str]  # what stands between backticks -> its markup


def inline(text: str, name: Name) -> str:
    """A paragraph on one line: names are marked, all else is as it is written."""
    parts = " ".join(text.split()).split("`")
    if len(parts) % 2 == 0:
        raise ValueError(f"docstring: a backtick without its other in {text!r}")
    made = [
        rf"\ {name(part)}\ " if i % 2 else SPECIAL.sub(r"\\\1", part)
        for i, part in enumerate(parts)
    ]
    # Sphinx takes what no text precedes for a list, or a field.
    return LIKE_A_LIST.sub(lambda found: "\\" + found[0], "".join(made)).strip()


def _items(text: str) -> list[str]:
    """The lines at the margin, each with those set in below it."""
    found: list[str] = []
    for line in text.splitlines():
        if found and (line.startswith(" ") or not line.strip()):
            found[-1] += "\n" + line
        else:
            found.append(line)
    return found


def _set_in(lines: list[str], start: int) -> int:
    """The end of the lines from `start` that are set in, or empty between such."""
    end = start
    for i in range(start, len(lines)):
        if lines[i].startswith(" "):
            end = i + 1
        elif lines[i].strip():
            break
    return end


def _described(text: str, name: Name) -> str:
    """What a section says of names, or says at all."""
    items = _items(text)
    found = [ITEM.match(item) for item in items]
    if not found[0]:
        return as_rst(text, name)
    made = []
    for item, match in zip(items, found):
        if not match:  # a paragraph below the names
            made.append(as_rst(item, name))
            continue
        names = ", ".join(f"``{each}``" for each in match[1].split(", "))
        first, _, rest = match[2].partition("\n")
        body = as_rst(f"{first}\n{dedent(rest)}", name)
        made.append(f"{names}\n{indent(body, '   ')}")
    return "\n\n".join(made)


def _parts(lines: list[str], name: Name) -> Iterator[str]:
    """Each block of a docstring, as markup."""
    i = 0
    while i < len(lines):
        line = lines[i]
        if not line.strip():
            i += 1
        elif section := SECTION.match(line):
            end = _set_in(lines, i + 1)
            body = _described(dedent("\n".join(lines[i + 1 : end])), name)
            yield f":{section[1]}:\n{indent(body, '   ')}"
            i = end
        elif line.startswith(" "):
            end = _set_in(lines, i)
            block = dedent("\n".join(lines[i:end]))
            yield f".. house-block::\n\n{indent(block, '   ')}"
            i = end
        elif BULLET.match(line):
            end = i + 1
            while end < len(lines) and lines[end].strip():
                end += 1
            items = [BULLET.match(item) for item in _items("\n".join(lines[i:end]))]
            yield "\n".join(f"{m[1]} {inline(m[2], name)}" for m in items if m)
            i = end
        else:
            end = i + 1
            while end < len(lines) and lines[end].strip() and lines[end][0] != " ":
                if SECTION.match(lines[end]) or BULLET.match(lines[end]):
                    break
                end += 1
            yield inline("\n".join(lines[i:end]), name)
            i = end


def as_rst(text: str, name: Name) -> str:
    """A docstring, its margin taken off, as reStructuredText.

    Args:
        text: the docstring.
        name: makes the markup of what stands in backticks.
    """
    return "\n\n".join(_parts(text.splitlines(), name))
