"""The reference has every public name, and shows its docstring as it is meant."""

import importlib

import pytest

import flq_jax as flq

names = importlib.import_module("flq_jax.docs.site.names")
docstrings = importlib.import_module("flq_jax.docs.site.docstrings")
equations = importlib.import_module("flq_jax.docs.site.equations")
linking = importlib.import_module("flq_jax.docs.site.linking")


def test_every_exported_name_is_documented():
    assert not [name for name in names.exported() if not names.canonical(name)]
    assert "flq_jax.quantizers.uniform" in names.exported()


@pytest.mark.parametrize("name", sorted(flq._MODULE_OF))
def test_every_name_of_the_front_door_is_documented(name):
    assert names.canonical(f"flq_jax.{flq._MODULE_OF[name]}.{name}")


@pytest.mark.parametrize("room", sorted(flq._ROOMS))
def test_every_room_is_on_a_page(room):
    pages = " ".join(
        page.read_text() for page in (names.HERE / "reference").glob("*.md")
    )
    assert f".. automodule:: flq_jax.{room}" in pages


@pytest.mark.parametrize("page", sorted(set(names.documented().values())))
def test_a_room_s_page_begins_with_what_lives_there(page):
    text = (names.HERE / "reference" / f"{page}.md").read_text()
    begun = [line for line in text.splitlines() if line.startswith("- **")]
    told = ["Here", "To change", "Kept", "Tests", "Read"]
    assert [line[4:].partition("**")[0] for line in begun] == told


def rst(text):
    return docstrings.as_rst(text, lambda name: f"<{name}>")


def test_stars_bars_and_underscores_stand_for_themselves():
    assert rst("|x_i| is 2**b, see `sign`.") == (r"\|x\_i\| is 2\*\*b, see \ <sign>\ .")


def test_arguments_are_listed_by_name():
    text = "Args:\n    bits: 1 to 8,\n        or none.\n    a, b: sizes."
    listed = (
        ":Args:\n   ``bits``\n      1 to 8, or none.\n\n   ``a``, ``b``\n      sizes."
    )
    assert rst(text) == listed


def test_what_is_set_in_is_a_block():
    assert rst("With\n\n    x = 2 y\n\nit is.") == (
        "With\n\n.. house-block::\n\n   x = 2 y\n\nit is."
    )


def test_half_a_pair_of_backticks_is_an_error():
    with pytest.raises(ValueError, match="a backtick without its other in 'a `b'"):
        rst("a `b")


@pytest.mark.parametrize(
    "typed, shown",
    [
        ("x_hat_i = R", "<i>x\u0302</i><sub><i>i</i></sub> = <i>R</i>"),
        ("tau <= 2^(b-1)", "<i>τ</i> ≤ 2<sup><i>b</i>−1</sup>"),
        ("||x||_1 / d", "‖<i>x</i>‖<sub>1</sub> / <i>d</i>"),
        ("max_silence", "max_silence"),
        ("<c, z> & 1", "⟨<i>c</i>, <i>z</i>⟩ &amp; 1"),
        ("x <- x - y", "<i>x</i> ← <i>x</i> − <i>y</i>"),
    ],
)
def test_an_equation_is_set_as_it_is_meant(typed, shown):
    assert equations.html_of(typed) == shown


def test_programs_and_tables_are_no_equations():
    assert equations.is_equation("x_hat = (||x||_1 / d) sign(x)")
    assert not equations.is_equation("link = lazy(innovation(sign()))")
    assert not equations.is_equation("bytes 0-1    zero")


def test_the_line_of_a_test_is_found():
    text = "import os\n\n\ndef test_one():\n    pass\n"
    assert linking.line_of(text, "test_one") == 4 and linking.line_of(text, None) == 1


def test_a_name_of_another_room_is_found_and_an_ambiguous_one_is_not():
    assert (
        names.meant("Quantizer.overload", "compressors")
        == "flq_jax.quantizers.Quantizer"
    )
    assert names.meant("Plan", "federated") == "flq_jax.federated.Plan"
    assert names.meant("pack", "models") is None


def test_a_function_s_tests_are_those_of_its_module():
    assert names.tests_of(flq.lazy) == "tests/compressors/test_lazy.py"
    assert names.tests_of(flq.sign) == ""


def test_an_expression_is_linked_to_what_it_calls():
    assert linking.CALL.match("lazy(innovation(sign()), weight=xi)")[1] == "lazy"
    assert not linking.CALL.match("config.uplink = sign()")
