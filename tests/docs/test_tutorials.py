"""The tutorials' blocks are found, and run to the picture that the page shows."""

import importlib.util
import json
import pathlib

import pytest

PAGES = pathlib.Path(__file__).parents[2] / "docs" / "tutorials"
SPEC = importlib.util.spec_from_file_location("running", PAGES / "running.py")
running = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(running)
TUTORIALS = sorted(set(PAGES.glob("*.md")) - {PAGES / "index.md"})


def test_blocks_run_in_order_in_one_folder(tmp_path):
    page = "```sh\necho 3 > n\n```\n\n```\nleft out\n```\n\n"
    page += "```python\nprint(int(open('n').read()) + 1)\n```\n"
    assert [language for language, _ in running.blocks(page)] == ["sh", "python"]
    assert running.run(page, tmp_path) == "4\n"


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_has_blocks_and_ends_with_a_picture_and_is_listed(path):
    page = path.read_text()
    assert running.blocks(page)
    for _, shown in running.pictures(page):
        assert (PAGES / shown).is_file()
    assert running.pictures(page)
    assert f"({path.name})" in (PAGES / "index.md").read_text()


@pytest.mark.more
def test_the_first_run_counts_what_the_page_says(tmp_path):
    page = (PAGES / "first_run.md").read_text()
    running.run(page, tmp_path)
    for drawn, _ in running.pictures(page):
        assert (tmp_path / drawn).read_bytes()[:4] == b"\x89PNG"
    lines = (tmp_path / "runs/first/metrics.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    assert last["uplink_bits"] == last["uploads"] * (7850 + 32)
