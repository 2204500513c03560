"""What each part may name, and what it must make."""

import inspect

import optax
import pytest

from flq_jax import federated, quantizers
from flq_jax.compressors import direct
from flq_jax.configs import default
from flq_jax.experiments.options import parts
from flq_jax.expressions import vocabulary
from flq_jax.expressions.expression import ExpressionError, evaluate, parse
from flq_jax.expressions.signatures import signature_of
from flq_jax.wireless import scheduling


def test_every_part_has_a_vocabulary_and_the_default_is_in_it():
    assert tuple(vocabulary.PARTS) == parts.PARTS
    for option in parts.PARTS:
        scope = vocabulary.known(option)
        tree = parse(default.get_config()[option])
        roots = vocabulary.constructors(option)
        name = default.get_config()[option].split("(")[0]
        assert tree and (name in roots or "." in name or option == "step"), option
        assert set(vocabulary.PARTS[option].supplied) <= set(scope.names)


def test_every_model_is_told_of_the_classes():
    """Or of the vocabulary, or it is a layer; an argument that `**attributes` hides is not."""
    tells = {"num_classes", "vocabulary", "features"}
    for name, make in vocabulary.constructors("model").items():
        assert name == "Bits" or tells & {*signature_of(make).parameters}, name


def test_a_part_may_use_what_those_before_it_are():
    """`step` is a number of the run alone, though it comes after the model."""
    given = [
        set(part.supplied)
        for name, part in vocabulary.PARTS.items()
        if name not in ("step", "aggregate")
    ]
    assert all(first <= second for first, second in zip(given, given[1:]))
    told = set(parts.SUPPLIED) - {"step", "rounds"}
    assert set.union(*given) == told


@pytest.mark.parametrize(
    "option, there, not_there",
    [
        ("data", {"mnist", "synthetic", "npz", "idx"}, {"Dataset", "DataError"}),
        ("split", {"contiguous", "iid", "shards", "dirichlet", "natural"}, {"np", "Parts"}),
        ("model", {"Logistic", "MLP", "CNN", "SVHNNet", "mcmahan_cnn", "Bits"}, {"nn"}),
        ("uplink", {"direct", "lazy", "uniform", "geometric"}, {"Compressor", "exact"}),
        ("downlink", {"exact", "innovation", "tanh_downlink"}, {"gradient"}),
        ("client", {"gradient", "local_epochs", "one_of_fixed", "augmented"}, {"uniform"}),
        ("server", {"onebit_adam"}, {"sgd", "everyone"}),
        ("aggregate", {"WEIGHTED_MEAN", "MAJORITY_VOTE"}, {"Aggregate"}),
        ("network", {"everyone", "sampled", "cell", "random", "oldest"}, {"jax"}),
        ("step", set(), {"uniform"}),
    ],
)  # fmt: skip
def test_a_part_names_what_makes_its_kind(option, there, not_there):
    names = set(vocabulary.constructors(option))
    assert there <= names and not not_there & names
    assert not any(name.startswith("_") for name in names)


def test_every_scheduler_of_the_library_may_be_named():
    made = {
        name
        for name, value in vars(scheduling).items()
        if inspect.isfunction(value)
        and inspect.get_annotations(value).get("return") is scheduling.Scheduler
    }
    assert made == set(vocabulary.SCHEDULERS)


def test_values_of_later_parts_are_not_there_yet():
    values = {"clients": 4, "seed": 0, "rounds": 5, "d": 7, "_step": 0.5}
    scope = vocabulary.scope("step", values)
    assert {"clients", "seed", "rounds", "_step"} == set(scope.names)
    assert set(scope.supplied) == {"clients", "seed"}
    assert "d" in vocabulary.scope("uplink", values).names


@pytest.mark.parametrize(
    "option, made, text, match",
    [
        ("uplink", 3, "3", "3: must make a Compressor or Quantizer, got int$"),
        ("uplink", direct, "direct", r"constructor itself; direct\(...\) calls it"),
        ("uplink", quantizers.geometric(1.0, 0.5), "geometric(1.0, 0.5)", "got function$"),
        ("aggregate", 1, "1", "must make an Aggregate, got int"),
        ("step", True, "True", "must make a number, got bool"),
        ("step", "1", "'1'", "must make a number, got str"),
        ("server", optax.sgd, "optax.sgd", r"optax.sgd\(...\) calls it"),
        ("model", vocabulary.constructors("model")["MLP"], "MLP", r"MLP\(...\) calls"),
    ],
)  # fmt: skip
def test_what_is_of_another_kind_says_what_it_is(option, made, text, match):
    with pytest.raises(ExpressionError, match=match):
        vocabulary.require_kind(option, made, text)


def test_what_is_of_its_kind_is_taken():
    vocabulary.require_kind("uplink", quantizers.sign(), "sign()")
    vocabulary.require_kind("downlink", federated.exact(), "exact()")
    vocabulary.require_kind("step", 3, "3")
    vocabulary.require_kind("server", optax.sgd(0.1), "optax.sgd(0.1)")


@pytest.mark.parametrize(
    "name, option", [("uniform", "uplink"), ("mnist", "data"), ("random", "network")]
)
def test_a_name_of_let_must_be_new(name, option):
    with pytest.raises(ExpressionError, match=f"^{name}: .* config.{option} knows"):
        vocabulary.require_free({"xi": 1, name: 2})
    vocabulary.require_free({"xi": 1, "bits": 2, "mine": 3})


def test_positional_arguments_come_before_what_the_run_supplies():
    scope = vocabulary.scope("network", {"clients": 10, "seed": 0})
    assert evaluate(parse("sampled(3)"), scope) is not None
    with pytest.raises(ExpressionError, match="count must be an integer in 1..10"):
        evaluate(parse("sampled(11)"), scope)
