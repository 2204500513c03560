"""The report: one page that needs nothing else."""

import html.parser
import json
import re

import pytest
from test_results import leave, two_seeds_and_one_that_diverged

from flq_jax.experiments.reading import bands, drawing, grouping, page, results
from flq_jax.experiments.reading.columns import usual
from flq_jax.experiments.reading.formats import markdown
from flq_jax.experiments.reading.table import lines

AIMS = {"test_accuracy": [0.9]}


def html_of(groups, title="title", left_out=(), aims=AIMS):
    columns = usual(groups, aims)
    return page.html(page.Report(title, groups, columns, dict(left_out)))


@pytest.fixture
def groups(tmp_path):
    return two_seeds_and_one_that_diverged(tmp_path)


def test_the_page_stands_alone_and_is_well_formed(groups):
    html = html_of(groups)
    links = re.findall(r"(?:src|href)\s*=\s*[\"']([^\"']*)", html)
    assert all(link.startswith("#") for link in links)
    assert not re.search(r"<(script|link|img|iframe)|@import|url\((?!#)", html)
    parser = _Balance()
    parser.feed(html)
    assert parser.open == []


def test_the_page_says_all_that_is_needed_to_run_it_again(groups):
    html = html_of(groups)
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
    groups = grouping.grouped(results.read(tmp_path))
    assert "fedcba9 on cpu x 5" in html_of(groups)


def test_the_page_names_what_is_left_out(groups):
    html = html_of(groups, left_out={"x": "failed"})
    assert re.search(r"Not results:.*x\s+failed", html, re.DOTALL)


def test_a_single_evaluation_is_a_dot(tmp_path):
    leave(tmp_path / "one", losses=(1.0,), accuracies=(0.5,))
    groups = grouping.grouped(results.read(tmp_path))
    one = drawing.curve(groups, "round", "train_loss").decode()
    leave(tmp_path / "two")
    others = grouping.grouped(results.read(tmp_path / "two"))
    assert _dots(one) > _dots(drawing.curve(others, "round", "train_loss").decode())


def _dots(svg):
    """Filled places of a group's colour, which lines have none of."""
    return svg.count("fill: #1f77b4")


def test_a_name_is_not_markup(tmp_path):
    leave(tmp_path / "a<b>&c", seed=0)
    groups = grouping.grouped(results.read(tmp_path))
    html = html_of(groups, "<script>")
    assert "<script>" not in html and "a&lt;b&gt;&amp;c" in html


def test_a_name_is_no_markdown_either(tmp_path):
    leave(tmp_path / "a|<b>&*c*", seed=0)
    groups = grouping.grouped(results.read(tmp_path))
    text = markdown(lines(groups, usual(groups, AIMS)))
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
    html = html_of(grouping.grouped(found), aims={})
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


def test_a_wide_table_is_told_in_parts_that_fit_a_screen():
    """Names take 209 pixels; 44 letters of another column 20 + 7.8 * 44."""
    table = [["runs", *["x" * 44] * 7], ["n" * 100, *["1"] * 7]]
    parts = page.abreast(table)
    # (1180 - 209) / 363.2 = 2.7
    assert [len(part[0]) for part in parts] == [3, 3, 3, 2]
    assert all(part[1][0] == "n" * 100 for part in parts)
    assert page.abreast([["runs"], ["a"]]) == [[["runs"], ["a"]]]


def test_short_names_and_texts_take_what_the_page_gives_them():
    """(1180 - 209) / (20 + 7.8 * 9) = 10.8; and where a text takes 131, 7.4."""
    table = [["runs", *["x" * 9] * 12], ["n", *["1"] * 12]]
    assert [len(part[0]) for part in page.abreast(table)] == [11, 3]
    assert [len(part[0]) for part in page.abreast(table, 131)] == [8, 6]


def test_many_groups_are_drawn_in_facets_of_nearly_equal_number():
    assert [len(some) for some in drawing.facets(range(10))] == [10]
    assert [len(some) for some in drawing.facets(range(11))] == [6, 5]
    assert [len(some) for some in drawing.facets(range(25))] == [7, 7, 7, 4]


def test_the_page_keeps_the_names_in_sight_where_a_table_scrolls(groups):
    html = html_of(groups)
    assert "position: sticky" in html and 'class="scroll"' in html


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
    groups = grouping.grouped(results.read(tmp_path))
    header, few, none, whole = lines(groups, usual(groups, {}))
    some = "train loss (5 % of the examples)"
    assert header[2:4] == [some, "train loss"]
    assert few[2:4] == ["0.5", ""] and whole[2:4] == ["", "0.5"]
    assert none[2:4] == ["", ""]
    runs = [run for group in groups for run in group.results]
    figures = ["train_loss 0.05", "train_loss", "test_accuracy"]
    assert page.figures_of(runs) == figures
    points = [bands.points(group, "round", figures[0]) for group in groups]
    assert [len(found) for found in points] == [2, 0, 0]
    assert "5 % of the examples" in html_of(groups)
    alone = html_of(groups[1:2])
    assert "train loss" not in alone and "<svg" in alone
