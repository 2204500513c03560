"""What pages name in code is linked: functions to the reference, files to their source."""

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode

from . import names

FILE = re.compile(
    r"^(?P<path>(?:tests|configs|examples|docs|flq_jax|experiments|benchmarks)/[\w/.]+\.py)"
    r"(?:::(?P<name>\w+))?$"
)

CALL = re.compile(r"^(\w+)\(.*\)$")  # an expression, linked to what it calls


def line_of(text: str, name: str | None) -> int:
    """The line, from 1, that defines a name in a source; 1 without one."""
    if not name:
        return 1
    found = re.search(rf"^(?:def|class) {name}\b", text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def _linked(app: Sphinx, docname: str, node: nodes.literal) -> nodes.Node | None:
    """The reference in place of a literal, or None."""
    builder = app.builder
    text = node.astext()
    if file := FILE.match(text):
        path = names.ROOT / file["path"]
        if not path.is_file():
            return None
        app.env.house_sources.add(file["path"])
        line = line_of(path.read_text(), file["name"])
        page = f"source/{file['path'].removesuffix('.py')}"
        uri = f"{builder.get_relative_uri(docname, page)}#L{line}"
        return nodes.reference("", "", node.deepcopy(), internal=True, refuri=uri)
    full = names.canonical(text) if text.startswith("flq_jax.") else None
    if call := CALL.match(text):
        full = names.meant(call[1], "")
    if not full:
        return None
    page = f"reference/{names.documented()[full]}"
    return make_refnode(builder, docname, page, full, node.deepcopy())


def link(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Links the literals of a page."""
    for node in list(doctree.findall(nodes.literal)):
        inside = node.parent
        if isinstance(inside, nodes.reference):
            continue
        if found := _linked(app, docname, node):
            inside.replace(node, found)


def sources(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A page for each source file that was linked, with an anchor to each line."""
    for path in sorted(app.env.house_sources):
        text = (names.ROOT / path).read_text()
        shown = app.builder.highlighter.highlight_block(text, "python")
        before, _, rest = shown.partition("<pre>")
        lines = rest.split("\n")
        body = "\n".join(
            f'<span id="L{n}">{line}</span>' if "</pre>" not in line else line
            for n, line in enumerate(lines, 1)
        )
        context = {"title": path, "body": f"<h1>{path}</h1>{before}<pre>{body}"}
        yield f"source/{path.removesuffix('.py')}", context, "page.html"
