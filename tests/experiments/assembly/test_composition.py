"""What a config's expressions make, and what it has in common with another's."""

import ast

import pytest

from flq_jax.configs import default
from flq_jax.experiments.assembly.composition import (
    PROGRAM,
    asks,
    blaming,
    canonical_texts,
    composed,
    made,
    require_free,
)
from flq_jax.experiments.options.parts import PARTS, trees
from flq_jax.experiments.process.errors import ConfigError
from flq_jax.expressions.expression import parse
from flq_jax.federated import Network


def config_of(let=(), **options):
    config = default.get_config()
    with config.let.unlocked():
        config.let.update(dict(let))
    config.update_from_flattened_dict(options)
    return config


def test_a_part_is_made_of_what_the_run_has():
    found = trees(config_of(network="sampled(3)"))
    assert isinstance(made(found, "network", {"clients": 3, "seed": 0}), Network)
    with pytest.raises(ConfigError, match=r"^config.network: sampled\(3\): count must"):
        made(found, "network", {"clients": 2, "seed": 0})
    with pytest.raises(
        ConfigError, match=r"^config.step: .clients,.: must make a number"
    ) as error:
        made({"step": parse("(clients,)")}, "step", {"clients": 2})
    assert "\n" not in str(error.value)


def test_a_file_from_elsewhere_makes_public_parts_alone():
    with pytest.raises(ConfigError, match="^config.model: os.system: a file from else"):
        made({"model": parse("os.system('ls')")}, "model", {}, from_elsewhere=True)
    assert made({"model": parse("Logistic()")}, "model", {}, from_elsewhere=True)


@pytest.mark.parametrize(
    "first, second",
    [
        ({"step": "0.02 * clients"}, {"step": "0.5"}),
        ({"uplink": "lazy(innovation(sign()))"}, {"uplink": "lazy(innovation(sign()), weight=0.1)"}),
        ({"server": "optax.adam(step)"}, {"server": "optax.adam(0.5, eps=1e-3)"}),
        ({"data": "mnist()"}, {"data": "synthetic()"}),
        ({"network": "sampled(3)"}, {"network": "sampled(count=3)"}),
    ],
)  # fmt: skip
def test_configs_that_differ_in_numbers_alone_have_one_program(first, second):
    one, two = (composed(config_of(**options)) for options in (first, second))
    assert list(one.parts) == list(two.parts) == list(PROGRAM)
    for name in PROGRAM:
        assert ast.unparse(one.parts[name]) == ast.unparse(two.parts[name])
    assert set(one.numbers) == set(two.numbers)


@pytest.mark.parametrize(
    "first, second",
    [
        ({"uplink": "uniform(4)"}, {"uplink": "uniform(8)"}),
        ({"uplink": "sign()"}, {"uplink": "direct(sign())"}),
        ({"network": "sampled(3)"}, {"network": "sampled(4)"}),
        ({"server": "optax.sgd(step)"}, {"server": "optax.sgd(step, nesterov=True)"}),
        ({"client": "gradient(batch=3)"}, {"client": "gradient(batch=4)"}),
    ],
)
def test_other_differences_are_other_programs(first, second):
    one, two = (composed(config_of(**options)).parts for options in (first, second))
    assert any(ast.unparse(one[n]) != ast.unparse(two[n]) for n in PROGRAM)


def test_the_numbers_are_what_the_expressions_say():
    found = composed(
        config_of({"xi": 0.25}, uplink="lazy(innovation(sign()), weight=xi)")
    )
    assert found.numbers["_step"] == pytest.approx(0.2)
    assert sorted(found.numbers.values()) == pytest.approx([0.2, 0.2, 0.25, 3.0])
    assert ast.unparse(found.parts["step"]) == "_step"


def test_canonical_texts_are_the_same_for_equal_meanings():
    one = canonical_texts(config_of({"b": 4}, uplink="uniform(b)"))
    two = canonical_texts(config_of(uplink="uniform(bits=4, radius=None)"))
    assert tuple(one) == PARTS and one == two
    assert one["server"].startswith("optax.sgd(learning_rate=0.02 * clients, ")


def test_what_a_part_asks_for_is_known_before_it_is_made():
    assert asks("network", parse("cell(random(3))"), "place")
    assert not asks("network", parse("sampled(3)"), "place")
    assert asks("split", parse("iid()"), "seed")
    assert not asks("split", parse("iid(seed=3)"), "seed")
    assert asks("data", parse("synthetic(seed=seed)"), "seed")
    assert not asks("data", parse("synthetic()"), "seed")
    assert not asks("data", parse("nowhere()"), "seed")


def test_a_name_of_let_that_means_something_else_is_refused():
    require_free(config_of({"bits": 4}))
    with pytest.raises(ConfigError, match="^config.let.uniform: must be a new name"):
        require_free(config_of({"uniform": 4}))


def test_parts_that_do_not_fit_are_blamed_by_the_names_in_the_error():
    found = trees(config_of())
    with pytest.raises(ConfigError) as error, blaming(found):
        raise ValueError("federation: a downlink with\nmemory needs a network")
    assert str(error.value) == (
        "config.downlink: exact(), config.network: everyone(): a downlink with memory "
        "needs a network"
    )
    with pytest.raises(
        ConfigError, match="^config.step: 0.02 . clients: step_size must"
    ):
        with blaming(found):
            raise ValueError("federation: step_size must be above 0")
    with pytest.raises(ConfigError, match="^config.uplink: .*: no codes"):
        with blaming(found, "uplink"):
            raise TypeError("no codes")
    with pytest.raises(ConfigError, match="^config.clients: x"), blaming(found):
        raise ConfigError("config.clients: x")
