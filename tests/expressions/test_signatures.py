"""What constructors say of their arguments."""

from collections.abc import Callable

import flax.linen as nn
import jax
import optax
import pytest

from flq_jax.compressors import lazy
from flq_jax.expressions.signatures import (
    described,
    is_literal,
    signature_of,
    traced,
)
from flq_jax.models import Logistic
from flq_jax.quantizers import sign


def own(scale: float | jax.Array, bits: int, start: jax.Array | None = None):
    return scale, bits, start


def calling(speaks: Callable[[jax.Array], jax.Array], of: "Callable[..., jax.Array]"):
    return speaks, of


def unknown(x: "Nowhere"):  # noqa: F821
    return x


class Own:
    def __init__(self, scale: "float | jax.Array", name: str = ""):
        self.scale, self.name = scale, name


@pytest.mark.parametrize(
    "make, names",
    [
        (own, {"scale", "start"}),
        (Own, {"scale"}),
        (lazy, {"weight", "error_weight"}),
        (calling, set()),
        (unknown, set()),
        (len, set()),
        (3, set()),
        (sign, set()),
    ],
)
def test_numbers_may_be_arrays_where_the_annotation_says_so(make, names):
    assert traced(make) == names


def test_a_learning_rate_of_optax_may_be_an_array():
    assert "learning_rate" in traced(optax.sgd) & traced(optax.adam)
    assert "nesterov" not in traced(optax.sgd)


def test_a_module_s_place_in_another_is_no_argument():
    assert {"parent", "name"}.isdisjoint(signature_of(Logistic).parameters)
    assert "num_classes" in signature_of(Logistic).parameters
    assert isinstance(Logistic(), nn.Module)


def test_what_python_cannot_tell_has_no_signature():
    assert signature_of(3) is None and signature_of(dict) is None


def test_arguments_are_shown_with_literal_defaults_alone():
    def make(a, b=(1, "x"), c=own, *parts, d: int = 3, e=float("inf"), **more):
        del a, b, c, parts, d, e, more

    shown = described(signature_of(make))
    assert shown == "(a, b=(1, 'x'), c=..., *parts, d=3, e=..., **more)"


def test_what_follows_an_argument_left_out_is_had_by_name():
    def make(loss, batch=0, *, draw=None):
        del loss, batch, draw

    signature = signature_of(make)
    assert described(signature, ["loss"]) == "(*, batch=0, draw=None)"
    assert described(signature, ["draw"]) == "(loss, batch=0)"


@pytest.mark.parametrize(
    "value, literal",
    [
        *((value, True) for value in (None, True, 3, -1.5, "x", (), (1, ("a",)))),
        *(
            (value, False)
            for value in (float("inf"), float("nan"), [], own, (own,), 1j)
        ),
    ],
)
def test_literals_are_what_an_expression_can_say(value, literal):
    assert is_literal(value) is literal
