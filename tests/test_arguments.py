"""What an argument must be, and in one line why it is not."""

import pytest

from flq_jax import arguments


@pytest.mark.parametrize("value", [0, 5, True, 2.0, "3", None, float("nan"), 2**40])
def test_an_integer_out_of_its_range_or_of_another_type_is_named(value):
    with pytest.raises(ValueError) as caught:
        arguments.require_integer("make", "bits", value, 1, 4)
    assert str(caught.value) == (
        f"make: bits must be an integer in 1..4, got bits={value!r}"
    )


@pytest.mark.parametrize("value", [1, 4])
def test_both_ends_of_a_range_are_in_it(value):
    arguments.require_integer("make", "bits", value, 1, 4)


@pytest.mark.parametrize("value", ["c", ["a"], None, 1])
def test_another_name_is_refused_even_if_it_cannot_be_looked_up(value):
    with pytest.raises(ValueError, match=r"make: norm must be one of a, b, got norm="):
        arguments.require_choice("make", "norm", value, ("a", "b"))
    arguments.require_choice("make", "norm", "b", ("a", "b"))


def test_what_cannot_be_called_is_told():
    with pytest.raises(TypeError, match=r"^make: loss must be callable, got loss=500$"):
        arguments.require_callable("make", "loss", 500)


def test_the_maker_itself_in_place_of_what_it_makes_is_told():
    def made():
        return 1

    with pytest.raises(
        TypeError, match=r"^make: part must be a int, got a function; made\(...\) makes"
    ):
        arguments.require_instance("make", "part", made, int)
    with pytest.raises(TypeError, match=r"^make: part must be a int, got a str$"):
        arguments.require_instance("make", "part", "1", int)


def test_a_long_value_is_cut_to_one_line():
    assert len(arguments.shown("a\nb" * 100)) == 60
    assert "\n" not in arguments.shown("a\nb" * 100)
