"""One text for equal meanings, and the numbers that a program may take."""

import ast

import jax
import pytest

from flq_jax.expressions import vocabulary
from flq_jax.expressions.canonical import asked, canonical, holed
from flq_jax.expressions.expression import ExpressionError, Scope, parse
from flq_jax.expressions.modules import imported


def text(option, expression):
    return ast.unparse(canonical(parse(expression), vocabulary.known(option)))


@pytest.mark.parametrize(
    "option, expressions",
    [
        (
            "uplink",
            [
                "lazy(innovation(uniform(4)), weight=0.8)",
                "lazy(compressor=innovation(quantizer=uniform(bits=4)))",
                " lazy( innovation(uniform(4, None)),error_weight=3.0, history=10 )",
            ],
        ),
        ("client", ["gradient(batch=500)", "gradient(loss, 500)"]),
        ("network", ["sampled(5)", "sampled(count=5)"]),
        ("split", ["shards(shards_per_client=2)", "shards()"]),
        ("model", ["MLP()", "MLP((200,))", "MLP(hidden=(200,))"]),
        (
            "server",
            [
                "optax.chain(optax.scale(0.5))",
                "optax.chain(optax.scale(step_size=0.5))",
            ],
        ),
    ],
)
def test_equal_meanings_have_one_text(option, expressions):
    assert len({text(option, expression) for expression in expressions}) == 1


@pytest.mark.parametrize(
    "option, expression, full",
    [
        ("uplink", "uniform(4)", "uniform(bits=4, radius=None)"),
        ("uplink", "uniform(bits=8)", "uniform(bits=8, radius=None)"),
        ("uplink", "direct(top_k(0.1))", "direct(quantizer=top_k(k=0.1, values=None))"),
        ("network", "sampled(5)", "sampled(count=5)"),
        ("network", "everyone()", "everyone()"),
        ("network", "everyone(7)", "everyone(clients=7)"),
        ("aggregate", "WEIGHTED_MEAN", "WEIGHTED_MEAN"),
        ("step", "0.02*clients", "0.02 * clients"),
        ("split", "shards()", "shards(shards_per_client=2)"),
        (
            "server",
            "optax.chain(optax.identity(), optax.identity())",
            "optax.chain(optax.identity(), optax.identity())",
        ),
        ("model", "mcmahan_cnn()", "mcmahan_cnn()"),
        (
            "model",
            "mcmahan_cnn(use_bias=True, bits=Bits(8))",
            "mcmahan_cnn(bits=Bits(weights=8, activations=32, gradients=32), use_bias=True)",
        ),
    ],
)
def test_defaults_are_written_out_and_what_the_run_supplies_is_not(
    option, expression, full
):
    assert text(option, expression) == full
    assert text(option, full) == full


def test_a_given_value_of_the_run_is_kept():
    assert text("network", "sampled(2, 4)") == "sampled(count=2, clients=4)"


def positional(first, /, second=2, *rest, third=3, **more):
    return first, second, rest, third, more


@pytest.mark.parametrize(
    "expression, full",
    [
        ("f(1)", "f(1, second=2, third=3)"),
        ("f(1, 2)", "f(1, second=2, third=3)"),
        ("f(1, 2, 4, z=1, a=2)", "f(1, 2, 4, third=3, a=2, z=1)"),
    ],
)
def test_positional_and_varied_arguments_keep_their_places(expression, full):
    scope = Scope({"f": positional}, {}, imported)
    assert ast.unparse(canonical(parse(expression), scope)) == full
    assert ast.unparse(canonical(parse(full), scope)) == full


@pytest.mark.parametrize(
    "expression", ["unifrom(4)", "uniform(4, 5, 6)", "nowhere.f(1)"]
)
def test_what_means_nothing_has_no_text(expression):
    with pytest.raises((ExpressionError, TypeError)):
        text("uplink", expression)


def own(scale: float | jax.Array, bits: int, start: "float | jax.Array" = 1.0):
    return scale, bits, start


def dug(option, expression):
    scope = vocabulary.known(option)
    scope = scope._replace(names={**scope.names, "own": own, "clients": 10})
    tree, numbers = holed(canonical(parse(expression), scope), scope, f"_{option}")
    return ast.unparse(tree), numbers


@pytest.mark.parametrize(
    "option, expression, numbers",
    [
        ("uplink", "lazy(innovation(uniform(4)), weight=0.5)", [3.0, 0.5]),
        ("uplink", "direct(uniform(4))", []),
        ("uplink", "momentum(direct(sign(1.0)), beta=0.5)", None),
        ("server", "optax.sgd(0.1 * clients)", [1.0]),
        ("server", "optax.sgd(0.1, momentum=0.9)", [0.1, 0.9]),
        ("server", "optax.sgd(optax.cosine_decay_schedule(1.0, 10))", None),
        ("server", "optax.sgd(rounds)", []),
        ("uplink", "own(2, 4)", [1.0, 2.0]),
        ("uplink", "own(2, own(3, 4, own(4, 5)))", [1.0, 1.0, 2.0, 3.0, 4.0]),
    ],
)
def test_numbers_leave_by_the_annotation_of_their_parameter(
    option, expression, numbers
):
    found, values = dug(option, expression)
    if numbers is not None:
        assert sorted(values.values()) == pytest.approx(sorted(numbers))
    assert all(name in found for name in values)
    assert len(values) == found.count(f"_{option}_")


def test_expressions_that_differ_in_such_numbers_alone_are_one():
    first, one = dug("uplink", "lazy(innovation(uniform(4)), weight=0.5)")
    second, two = dug(
        "uplink", "lazy(innovation(uniform(4)), weight=1, error_weight=0)"
    )
    other, _ = dug("uplink", "lazy(innovation(uniform(8)), weight=0.5)")
    assert first == second != other and one != two


def test_what_is_asked_of_the_run_is_named_or_filled_in():
    def names(option, expression):
        run = {*vocabulary.PARTS[option].supplied, *vocabulary.NAMED}
        return asked(parse(expression), vocabulary.known(option)) & run

    assert names("split", "contiguous()") >= {"labels", "clients"}
    assert "seed" not in names("split", "iid(seed=3)")
    assert names("split", "natural(users, 3, 4)") == {"users"}
    assert names("step", "0.1 * clients") == {"clients"}
    assert names("network", "cell(random(3))") == {"place", "work"}
    assert names("server", "optax.sgd(0.1 * rounds)") == {"rounds"}
