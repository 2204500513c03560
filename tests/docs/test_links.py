"""Every link between pages resolves, to its heading too, and nothing is fetched to read."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def anchor(heading):
    """As forges and MyST make it: lower case, no punctuation, hyphens for spaces."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def anchors(page):
    text = FENCED.sub("", page.read_text())
    return {anchor(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


LINKS = [
    pytest.param(page, target, id=f"{page.relative_to(ROOT)}-{target}")
    for page in PAGES
    for target in sorted(set(LINK.findall(FENCED.sub("", page.read_text()))))
    if not target.startswith(("http://", "https://"))
]


@pytest.mark.parametrize("page, target", LINKS)
def test_a_link_leads_to_a_file_and_its_heading(page, target):
    path, _, heading = target.partition("#")
    there = page.parent / path if path else page
    assert there.exists()
    assert not heading or heading in anchors(there)


def test_a_heading_s_anchor_by_hand():
    assert anchor("Softmax regression, 7,850 parameters") == (
        "softmax-regression-7850-parameters"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_shows_a_picture_from_elsewhere(page):
    assert not re.search(r"!\[[^\]]*\]\(https?:|<(?:img|script)\b", page.read_text())


def test_every_page_is_in_a_list_of_contents():
    """By the trees of the pages themselves, from the start on."""
    docs = ROOT / "docs"
    seen, ahead = set(), [docs / "index.md"]
    while ahead:
        page = ahead.pop()
        seen.add(page)
        for tree in re.findall(
            r"```\{toctree\}\n(.*?)```", page.read_text(), re.DOTALL
        ):
            names = [line for line in tree.split() if not line.startswith(":")]
            found = (each for name in names for each in page.parent.glob(f"{name}.md"))
            ahead += [each for each in found if each.is_file() and each not in seen]
    assert seen == {page for page in PAGES if docs in page.parents}
