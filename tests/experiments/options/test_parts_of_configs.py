"""A config's expressions, with what `let` and `step` stand for."""

import ast

import pytest

from flq_jax.configs import default
from flq_jax.experiments.options.parts import PARTS, trees
from flq_jax.experiments.process.errors import ConfigError


def texts(let=(), **options):
    config = default.get_config()
    with config.let.unlocked():
        config.let.update(dict(let))
    config.update(options)
    return {name: ast.unparse(tree) for name, tree in trees(config).items()}


def test_every_part_has_a_tree_and_the_server_s_step_is_written_out():
    found = texts()
    assert tuple(found) == PARTS
    assert found["step"] == "0.02 * clients"
    assert found["server"] == "optax.sgd(0.02 * clients)"


def test_names_of_let_stand_for_what_they_are():
    let = {
        "bits": 4,
        "rate": 0.5,
        "shape": (8, 4),
        "q": "uniform(bits)",
        "n": -1,
        "b": True,
    }
    found = texts(
        let,
        uplink="lazy(innovation(q), weight=rate)",
        model="MLP(shape, use_bias=b)",
        step="2 * n",
    )
    assert found["uplink"] == "lazy(innovation(uniform(4)), weight=0.5)"
    assert found["model"] == "MLP((8, 4), use_bias=True)"
    assert found["step"] == "2 * -1" and found["server"] == "optax.sgd(2 * -1)"


def test_a_name_of_let_may_use_those_before_it_alone():
    found = texts({"a": "b", "b": 3, "c": "b + 1"}, step="a * c")
    assert found["step"] == "b * (3 + 1)"


def test_an_argument_or_a_module_of_the_same_name_is_left():
    found = texts({"bits": 4, "mine": 3}, uplink="mine.own(bits=bits)")
    assert found["uplink"] == "mine.own(bits=4)"


def test_step_may_be_used_by_any_part():
    found = texts({"a": "step"}, client="local_epochs(optimizer=optax.sgd(a / 2))")
    assert found["client"] == "local_epochs(optimizer=optax.sgd(0.02 * clients / 2))"


@pytest.mark.parametrize(
    "let, options, match",
    [
        ({"a": "f("}, {}, "^config.let.a: 'f\\('"),
        ({}, {"uplink": "[]"}, r"^config.uplink: '\[\]': must be calls"),
        ({}, {"network": ""}, "^config.network: "),
    ],
)
def test_what_is_no_expression_is_named(let, options, match):
    with pytest.raises(ConfigError, match=match):
        texts(let, **options)
