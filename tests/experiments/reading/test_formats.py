"""Tables and numbers for a paper: Markdown, LaTeX and CSV."""

import csv
import io
import shutil
import subprocess

import pytest
from test_results import leave

from flq_jax.experiments.reading import digits, formats, grouping, results
from flq_jax.experiments.reading.columns import chosen
from flq_jax.experiments.reading.table import lines

AIMS = {"test_accuracy": [0.9]}


@pytest.fixture
def groups(tmp_path):
    """Two seeds that end at 90 and 80 %, of which one reaches 90; and one that diverged."""
    leave(tmp_path / "a_b&c-seed0", seed=0, bits=4)
    leave(tmp_path / "a_b&c-seed1", seed=1, bits=4, accuracies=(0.5, 0.8))
    leave(tmp_path / "sgd", seed=0, bits=32, losses=(9.0, None), accuracies=(0.2, None))
    return grouping.grouped(results.read(tmp_path))


@pytest.mark.parametrize(
    "text, written",
    [
        ("mnist_flq_binary × 2", "mnist_flq_binary × 2"),
        ("a|b", r"a\|b"),
        ("a\nb", "a b"),
        ("<b>&amp;", r"\<b\>\&amp;"),
        ("*a* `b` ~~c~~ $d$", r"\*a\* \`b\` \~\~c\~\~ \$d\$"),
        ("![x](http://y)", r"!\[x\](http://y)"),
        ("_a_ __b__ c__d", r"\_a\_ \_\_b\_\_ c\_\_d"),
        ("a\\|", r"a\\\|"),
    ],
)
def test_the_text_of_a_cell_is_no_markdown(text, written):
    assert formats.markdown([["name"], [text]]).splitlines()[2] == f"| {written} |"


@pytest.mark.parametrize(
    "text, written",
    [
        ("100 % of a_b & c#1", r"100 \% of a\_b \& c\#1"),
        ("{$x^2$}", r"\{\$x\textasciicircum{}2\$\}"),
        (
            "a\\b ~ <c>",
            r"a\textbackslash{}b \textasciitilde{} \textless{}c\textgreater{}",
        ),
        ("laq × 3", r"laq $\times$ 3"),
        ("é, ç", r"\'{e}, \c{c}"),
        ("漢\n\x07x", "[U+6F22] x"),
    ],
)
def test_a_text_is_no_latex(text, written):
    assert formats.escaped(text) == written


def test_a_table_in_latex_has_its_cells_and_floats_with_a_caption(groups):
    columns = chosen(["test_accuracy", "bits_to"], groups, AIMS)
    cells = lines(groups, columns, digits.latex, formats.escaped)
    text = formats.latex(cells, "50 % of it", "tab:x")
    assert r"\caption{50 \% of it}" in text and r"\label{tab:x}" in text
    assert r"\begin{tabular}{llrr}" in text
    head, laq, sgd = [line for line in text.splitlines() if line.endswith(r" \\")]
    # 90 and 80 %: deviation 50^(1/2); only the first reached 90, by 2001 bits.
    assert laq == r"a\_b\&c $\times$ 2 &  & $85.0 \pm 7.1$ & $2001$ (1 of 2) \\"
    assert sgd == r"sgd & diverged & not finite & never \\"
    assert head == (
        r"runs & remarks & \shortstack[r]{test accuracy \\ (\%)} & "
        r"\shortstack[r]{total bits to \\ 90~\%} \\"
    )
    assert text.count(r"\begin{") == text.count(r"\end{") == 2
    assert "table}" not in formats.latex(cells)


@pytest.mark.more
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not here")
def test_latex_takes_the_table(groups, tmp_path):
    columns = chosen(["rounds", "test_accuracy", "bits_to"], groups, AIMS)
    cells = lines(groups, columns, digits.latex, formats.escaped)
    (tmp_path / "report.tex").write_text(formats.latex(cells, "100 % é", "tab:x"))
    (tmp_path / "paper.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs}\begin{document}"
        r"\input{report}\end{document}"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]


def test_numbers_of_the_table_are_the_runs_own(groups):
    columns = chosen(["test_accuracy", "bits_to"], groups, AIMS)
    laq, sgd = csv.DictReader(io.StringIO(formats.table_csv(groups, columns)))
    assert (laq["runs"], laq["seeds"]) == ("a_b&c", "2")
    assert float(laq["test_accuracy"]) == pytest.approx(0.85)
    assert float(laq["test_accuracy sd"]) == pytest.approx(0.005**0.5)
    cost = "bits_to test_accuracy 0.9"
    assert float(laq[cost]) == 2001.0
    assert (laq[f"{cost} sd"], laq[f"{cost} n"]) == ("", "1")
    assert (sgd[cost], sgd[f"{cost} n"], sgd["test_accuracy n"]) == ("", "0", "0")


def test_numbers_of_a_curve_are_the_metrics_of_each_seed(groups):
    text = formats.curves_csv(groups[:1], ["bits"], ["test_accuracy"], "range")
    first, second = csv.DictReader(io.StringIO(text))
    assert (first["round"], second["round"]) == ("10", "20")
    assert float(second["x"]) == 2001.0 and second["n"] == "2"
    assert (second["seed 0"], second["seed 1"]) == ("0.9", "0.8")
    assert (second["low"], second["high"]) == ("0.8", "0.9")
    assert float(second["mean"]) == pytest.approx(0.85)
    assert float(first["sd"]) == 0.0
