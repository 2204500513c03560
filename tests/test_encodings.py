"""Text files are UTF-8, whatever the locale."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FILES = sorted(
    path
    for room in ("flq_jax", "experiments", "benchmarks", "configs", "docs")
    for path in (ROOT / room).rglob("*.py")
)


# Whose `open` gives no text: the system's descriptors, members of a zip file, and images.
OF_BYTES = {"os", "archive", "pillow"}


def _mode(call: ast.Call, place: int) -> str:
    named = [word.value for word in call.keywords if word.arg == "mode"]
    given = named or call.args[place : place + 1]
    return given[0].value if given and isinstance(given[0], ast.Constant) else "r"


def _opens_text(call: ast.Call) -> bool:
    function = call.func
    name = getattr(function, "attr", getattr(function, "id", ""))
    if name == "open":
        if getattr(getattr(function, "value", None), "id", "") in OF_BYTES:
            return False
        mode = _mode(call, place=int(isinstance(function, ast.Name)))
        return set(mode) <= set("rwax+t") and "b" not in mode
    if name == "read_text" and call.args:  # the encoding itself
        return False
    text = {word.arg for word in call.keywords} & {"text", "universal_newlines"}
    return name in ("read_text", "write_text") or bool(text and name != "format")


def _without_encoding(source: str) -> list[int]:
    """The lines that open a text file or a pipe in the locale's encoding."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and _opens_text(node)
        and not any(word.arg == "encoding" for word in node.keywords)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_opened_in_the_locale_s_encoding(path):
    assert not _without_encoding(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source, found",
    [
        ("p.read_text()", 1), ("p.write_text(t)", 1), ("open(p)", 1), ("p.open()", 1),
        ("open(p, 'a', newline='')", 1), ("p.open(mode='w')", 1),
        ("run(c, text=True)", 1),
        ("open(p, 'rb')", 0), ("p.open('wb')", 0), ("open(p, encoding='utf-8')", 0),
        ("run(c, encoding='utf-8')", 0), ("self._open()", 0), ("p.read_text('utf-8')", 0),
        ("os.open(p, f)", 0), ("pattern.format(text=text)", 0),
    ],
)  # fmt: skip
def test_such_calls_are_seen(source, found):
    assert len(_without_encoding(source)) == found
