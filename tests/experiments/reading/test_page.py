"""The report: one page that needs nothing else."""

import html.parser
import json
import re

import pytest
from test_results import leave

from flq_jax.experiments.reading import page, results


@pytest.fixture
def groups(tmp_path):
    for seed in (0, 1):
        leave(tmp_path / f"laq-seed{seed}", seed=seed, bits=4)
    leave(tmp_path / "sgd", seed=0, bits=32, losses=(9.0, None))
    return results.grouped(results.read(tmp_path))


def test_the_page_stands_alone_and_is_well_formed(groups):
    html = page.written(groups, "title", {"test_accuracy": 0.9})["report.html"]
    links = re.findall(r"(?:src|href)\s*=\s*[\"']([^\"']*)", html)
    assert all(link.startswith("#") for link in links)
    assert not re.search(r"<(script|link|img|iframe)|@import|url\((?!#)", html)
    parser = _Balance()
    parser.feed(html)
    assert parser.open == []


def test_the_page_says_all_that_is_needed_to_run_it_again(groups):
    html = page.written(groups, "title", {"test_accuracy": 0.9})["report.html"]
    for part in (
        "A question?",
        "python -m experiments.main --config=x.py",
        "jax 0.10.2",
        "0123abc",
        "SHA-256 abc",
        "payload/32: 1,000",
        "diverged",
    ):
        assert part in html, part


def test_the_page_says_by_what_a_run_was_begun(tmp_path):
    leave(tmp_path / "run")
    path = tmp_path / "run/summary.json"
    earlier = {"earlier": [{"source": "fedcba9", "device": "cpu x 5"}]}
    path.write_text(json.dumps(json.loads(path.read_text()) | earlier))
    groups = results.grouped(results.read(tmp_path))
    assert (
        "fedcba9 on cpu x 5"
        in page.written(groups, "title", {"test_accuracy": 0.9})["report.html"]
    )


def test_the_page_names_what_is_left_out(groups):
    html = page.written(groups, "title", {"test_accuracy": 0.9}, {"x": "failed"})[
        "report.html"
    ]
    assert re.search(r"Not results:.*x\s+failed", html, re.DOTALL)


def test_a_single_evaluation_is_a_dot(tmp_path):
    leave(tmp_path / "one", losses=(1.0,), accuracies=(0.5,))
    groups = results.grouped(results.read(tmp_path))
    html = page.curve(groups, "round", "rounds", "train_loss")
    leave(tmp_path / "two")
    others = results.grouped(results.read(tmp_path / "two"))
    assert _dots(html) > _dots(page.curve(others, "round", "rounds", "train_loss"))


def _dots(svg):
    """Filled places of a group's colour, which lines have none of."""
    return svg.count("fill: #1f77b4")


def test_the_table_has_a_line_for_each_group(groups):
    header, laq, sgd = page.summary_table(groups, {"test_accuracy": 0.9})
    cells = dict(zip(header, laq))
    assert cells["runs"] == "laq × 2" and cells[""] == ""
    assert cells["test accuracy (%)"] == "90.00 ± 0.00"
    assert cells["rounds to 90 %"] == "20 ± 0"
    assert dict(zip(header, sgd))[""] == "diverged"


def test_the_table_says_that_messages_overloaded(tmp_path):
    for seed, overloads in enumerate((590, 610)):
        folder = tmp_path / f"fixed-seed{seed}"
        leave(folder, seed=seed)
        rows = [json.loads(x) for x in (folder / "metrics.jsonl").open()]
        rows = [json.dumps(row | {"overloads": overloads}) for row in rows]
        (folder / "metrics.jsonl").write_text("\n".join(rows) + "\n")
    groups = results.grouped(results.read(tmp_path))
    header, line = page.summary_table(groups, {"test_accuracy": 0.9})
    assert dict(zip(header, line))[""] == "overloads 600 ± 14"


def test_markdown_has_as_many_cells_in_every_line(groups):
    lines = page.written(groups, "title", {"test_accuracy": 0.9})[
        "report.md"
    ].splitlines()
    assert len(lines) == 4 and len({line.count("|") for line in lines}) == 1


def test_a_name_is_not_markup(tmp_path):
    leave(tmp_path / "a<b>&c", seed=0)
    groups = results.grouped(results.read(tmp_path))
    html = page.written(groups, "<script>", {"test_accuracy": 0.9})["report.html"]
    assert "<script>" not in html and "a&lt;b&gt;&amp;c" in html


def test_a_name_is_no_markdown_either(tmp_path):
    leave(tmp_path / "a|<b>&*c*", seed=0)
    groups = results.grouped(results.read(tmp_path))
    text = page.written(groups, "title", {"test_accuracy": 0.9})["report.md"]
    assert text.splitlines()[2].startswith(r"| a\|\<b\>\&\*c\* | ")


def test_labels_of_clients_are_drawn_once_for_each_split(tmp_path):
    """A dot for each count above 0: three of the one split, four of the other."""
    for name, labels in {
        "a": [[3, 0], [1, 2]],
        "b": [[3, 0], [1, 2]],
        "c": [[1, 1], [1, 1]],
        "d": None,
    }.items():
        leave(tmp_path / name, about=name)
        said = {} if labels is None else {"labels": labels}
        (tmp_path / name / "begun.json").write_text(json.dumps(said))
    found = results.read(tmp_path)
    splits = page.splits_of(found)
    assert list(splits) == ["a", "c"]
    three, four = (_circles(page.dots(labels)) for labels in splits.values())
    assert (three, four) == (3, 4)
    html = page.written(results.grouped(found), "title", {})["report.html"]
    assert html.count("<figcaption>") == 2


def _circles(svg):
    """The dots of a scatter: the paths, or the uses of one, in its group."""
    group = svg[svg.index('id="PathCollection_1"') :]
    group = group[: group.index('id="matplotlib.axis_1"')]
    return group.count("<use") or group.count("<path")


@pytest.mark.parametrize(
    "labels", [3, [3], [[1, 2], [1]], [[1, -2]], [[1, 2.5]], [[1]], [[1, 2]] * 51]
)
def test_strange_labels_leave_out_their_run(labels, tmp_path, capsys):
    leave(tmp_path / "a")
    (tmp_path / "a/begun.json").write_text(json.dumps({"labels": labels}))
    assert results.read(tmp_path) == []
    assert "a is left out: begun.json: labels must be" in capsys.readouterr().out


class _Balance(html.parser.HTMLParser):
    """The tags that are open, in order; raises if another one is closed."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def leave_without(folder, **options):
    """A run's folder, its lines without the train loss."""
    leave(folder, log={"train_loss": 0.0}, **options)
    path = folder / "metrics.jsonl"
    rows = [json.loads(line) for line in path.open()]
    for row in rows:
        del row["train_loss"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_losses_of_samples_are_told_apart_and_missing_ones_left_out(tmp_path):
    leave(tmp_path / "whole")
    leave(tmp_path / "few", log={"train_loss": 0.05})
    leave_without(tmp_path / "none")
    groups = results.grouped(results.read(tmp_path))
    header, few, none, whole = page.summary_table(groups, {})
    some = "train loss (5 % of the examples)"
    assert header[3:5] == [some, "train loss"]
    assert few[3:5] == ["0.5", ""] and whole[3:5] == ["", "0.5"]
    assert none[3:5] == ["", ""] and none[1] == ""
    assert page.figures_of(groups) == [
        ("train_loss", 0.05), ("train_loss", 1.0), ("test_accuracy", 1.0)
    ]  # fmt: skip
    written = page.written(groups, "title", {})
    assert (
        some in written["report.md"] and "5 % of the examples" in written["report.html"]
    )
    alone = page.written(groups[1:2], "title", {})
    assert "train loss" not in alone["report.md"] and "<svg" in alone["report.html"]
