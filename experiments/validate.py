"""What a config must satisfy: a rule for every option, and one for every combination."""

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from configs import default


class ConfigError(ValueError):
    """An option that cannot be; the message is one line that starts with its name."""


class Rule(NamedTuple):
    """What the value of one option must be: `must` completes "must be ..."."""

    must: str
    holds: Callable[[Any], bool]
    choices: tuple[str, ...] = ()


class Combination(NamedTuple):
    """What options must be together; `must` may quote them, as in {c.log.every}."""

    option: str
    holds: Callable[[ConfigDict], bool]
    must: str


def integer(low: int, high: int = 2**31 - 1) -> Rule:
    """An integer in low..high; without `high`, one that 32 bits hold."""
    return Rule(f"an integer in {low}..{high}", lambda x: low <= x <= high)


def above(low: float) -> Rule:
    """A finite number above `low`; comparisons refuse NaN."""
    return Rule(f"a finite number above {low}", lambda x: low < x < math.inf)


def at_least(low: float) -> Rule:
    """A finite number, `low` or more."""
    return Rule(f"a finite number, {low} or more", lambda x: low <= x < math.inf)


def one_of(*names: str) -> Rule:
    """One of these names."""
    return Rule(f"one of {', '.join(names)}", lambda x: x in names, names)


ANY = Rule("any value of its type", lambda x: True)
MODEL_BITS = Rule("an integer in 1..8, or 32", lambda x: 1 <= x <= 8 or x == 32)

SCHEDULERS = (
    "everyone",
    "random",
    "round_robin",
    "best_channel",
    "proportional_fair",
    "oldest",
    "longest_lived",
    "bits_budget",
)
QUANTIZERS = (
    "identity", "sign", "two_means", "uniform", "stochastic", "nuqsgd", "alq",
    "terngrad", "natural", "lloyd_max", "fixed_point", "top_k", "rand_k", "adaptive",
    "drive", "drive_plus", "eden", "quic_fl", "thc", "uveqfed",
)  # fmt: skip
SIGNED = ("stochastic", "nuqsgd", "alq", "fixed_point")  # one of their bits is the sign
PARTITIONS = ("contiguous", "iid", "shards", "dirichlet", "quantity_skew")

RULES = {
    "seed": integer(0, 2**32 - 1),  # beyond it JAX's keys repeat
    "rounds": integer(1),
    "clients": integer(1),
    "sampled": integer(0),
    "l2": at_least(0),
    "data.name": ANY,
    "data.dir": ANY,
    "data.partition": one_of(*PARTITIONS),
    "data.alpha": above(0),
    "data.shards": integer(1),
    "data.min_size": integer(0),
    "model.name": one_of("logistic", "mlp"),
    "model.hidden": Rule(
        "integers, 1 or more", lambda x: bool(x) and all(units >= 1 for units in x)
    ),
    "model.bias": ANY,
    "model.weight_bits": MODEL_BITS,
    "model.activation_bits": MODEL_BITS,
    "model.gradient_bits": MODEL_BITS,
    "client.batch": integer(0),
    "client.epochs": integer(0),
    "client.at_once": integer(0),
    "client.learning_rate": above(0),
    "compressor.quantizer": one_of(*QUANTIZERS),
    "compressor.bits": integer(1, 8),
    "compressor.norm": one_of("l2", "max"),
    "compressor.bucket": integer(0),
    "compressor.clip": Rule("a number above 0", lambda x: x > 0),
    "compressor.keep": Rule("a number in (0, 1]", lambda x: 0 < x <= 1),
    "compressor.levels": integer(2, 256),
    "compressor.source": one_of("samples", "gaussian", "laplace"),
    "compressor.fraction": integer(-100, 100),
    "compressor.rate": Rule("a number in (0, 8]", lambda x: 0 < x <= 8),
    "compressor.unbiased": ANY,
    "compressor.lattice": one_of("scalar", "hexagonal", "d3", "e8"),
    "compressor.reach": at_least(0),
    "compressor.granularity": integer(1, 255),
    "compressor.shared_norm": at_least(0),
    "compressor.radius": one_of("measured", "geometric"),
    "compressor.radius_scale": above(0),
    "compressor.radius_rate": Rule("a number in (0, 1]", lambda x: 0 < x <= 1),
    "compressor.memory": one_of("direct", "error_feedback", "innovation"),
    "compressor.lazy": ANY,
    "compressor.lazy_history": integer(1),
    "compressor.lazy_weight": at_least(0),
    "compressor.lazy_max_silence": integer(1),
    "compressor.lazy_error_weight": at_least(0),
    "downlink.quantizer": one_of("identity", "uniform", "tanh", "sign"),
    "downlink.memory": one_of("direct", "innovation"),
    "downlink.bits": integer(1, 8),
    "network.name": one_of("ideal", "cell"),
    "network.scheduler": one_of(*SCHEDULERS),
    "network.scheduled": integer(1),
    "network.budget_bits": integer(1),
    "network.blocks": integer(1),
    "network.assignment": one_of("hungarian", "random"),
    "network.effort": one_of("least", "budget", "full"),
    "network.thrift": Rule("a number in [0, 1)", lambda x: 0 <= x < 1),
    "network.most_loss": Rule("a number in (0, 1]", lambda x: 0 < x <= 1),
    "network.widths": Rule(
        "two or more integers of 1..8 or 32, ascending",
        lambda x: len(x) >= 2 and all(map(MODEL_BITS.holds, x)) and _ascends(x),
    ),
    "network.inner_m": above(0),
    **{
        f"network.{option}": above(0)
        for option in (
            "radius_m",
            "exponent",
            "power_w",
            "block_hz",
            "downlink_hz",
            "downlink_power_w",
            "deadline_s",
            "budget_j",
            "frequency_low_hz",
            "frequency_high_hz",
            "capacitance",
            "bit_operations_a_cycle",
        )
    },
    "network.gain_db": Rule("a finite number", math.isfinite),
    **{
        f"network.{option}": at_least(0)
        for option in (
            "shadowing_db",
            "rician",
            "interference_low_w",
            "interference_high_w",
            "waterfall",
            "downlink_interference_w",
            "battery_j",
            "mean_delay",
        )
    },
    "server.optimizer": one_of("sgd", "momentum", "adam"),
    "server.learning_rate": above(0),
    "server.momentum": Rule("a number in [0, 1)", lambda x: 0 <= x < 1),
    "server.aggregate": one_of("sum", "mean"),
    "stop.residual": at_least(0),
    "stop.optimum": at_least(0),
    "accounting.count": one_of("payload", "laq"),
    "accounting.downlink": one_of("broadcast_once", "unicast_uploaders", "unicast_all"),
    "accounting.float_bits": Rule("32 or 64", lambda x: x in (32, 64)),
    "log.every": integer(1),
    "log.checkpoint_every": integer(1),
    "log.tensorboard": ANY,
}


def _geometric(c: ConfigDict) -> bool:
    return c.compressor.radius == "geometric"


def _ascends(numbers: tuple[int, ...]) -> bool:
    return list(numbers) == sorted(set(numbers))


COMBINATIONS = (
    Combination(
        "network.radius_m",
        lambda c: c.network.radius_m > c.network.inner_m,
        "above config.network.inner_m={c.network.inner_m}",
    ),
    Combination(
        "network.frequency_high_hz",
        lambda c: c.network.frequency_high_hz >= c.network.frequency_low_hz,
        "at least config.network.frequency_low_hz={c.network.frequency_low_hz}",
    ),
    Combination(
        "network.name",
        lambda c: c.compressor.quantizer != "adaptive" or c.network.name == "cell",
        "cell with an adaptive quantizer (its widths follow the links)",
    ),
    Combination(
        "sampled",
        lambda c: not c.sampled or c.network.name == "ideal",
        "0 in a cell (config.network.scheduler takes its place)",
    ),
    Combination(
        "sampled",
        lambda c: c.sampled <= c.clients,
        "at most config.clients={c.clients}",
    ),
    Combination(
        "client.batch",
        lambda c: c.client.batch or not c.client.epochs,
        "1 or more with config.client.epochs={c.client.epochs}",
    ),
    Combination(
        "downlink.bits",
        lambda c: c.downlink.quantizer != "tanh" or c.downlink.bits >= 2,
        "in 2..8 for the tanh mapping",
    ),
    Combination(
        "downlink.memory",
        lambda c: c.downlink.quantizer != "tanh" or c.downlink.memory == "direct",
        "direct for the tanh mapping (gradients are pulled back through it)",
    ),
    Combination(
        "downlink.memory",
        lambda c: c.network.name != "cell" or c.downlink.memory == "direct",
        "direct with config.network.name={c.network.name} (who was not scheduled has "
        "missed a part)",
    ),
    Combination(
        "downlink.memory",
        lambda c: not c.sampled or c.downlink.memory == "direct",
        "direct with config.sampled={c.sampled} (who was not there has missed a part)",
    ),
    Combination(
        "compressor.bits",
        lambda c: c.compressor.quantizer not in SIGNED or c.compressor.bits >= 2,
        "in 2..8 for {c.compressor.quantizer} (one of them is the sign)",
    ),
    Combination(
        "compressor.bucket",
        lambda c: (
            not c.compressor.bucket or c.compressor.quantizer not in ("top_k", "rand_k")
        ),
        "0 for {c.compressor.quantizer}, which has no code for each coordinate",
    ),
    Combination(
        "compressor.bucket",
        lambda c: not (c.compressor.bucket and _geometric(c)),
        "0 with a geometric radius, which is everyone's",
    ),
    Combination(
        "compressor.bits",
        lambda c: c.compressor.quantizer != "uveqfed" or c.compressor.bits >= 2,
        "in 2..8 for uveqfed (points modulo 2**bits times the lattice)",
    ),
    Combination(
        "compressor.granularity",
        lambda c: (
            c.compressor.quantizer != "thc"
            or c.compressor.granularity >= 2**c.compressor.bits - 1
        ),
        "2**bits - 1 or more for thc, with config.compressor.bits={c.compressor.bits}",
    ),
    Combination(
        "compressor.bits",
        lambda c: not _geometric(c) or c.compressor.bits >= 2,
        "in 2..8 with a geometric radius (the error of one bit is the whole radius)",
    ),
    Combination(
        "compressor.quantizer",
        lambda c: not _geometric(c) or c.compressor.quantizer == "uniform",
        "uniform with a geometric radius",
    ),
    Combination(
        "compressor.memory",
        lambda c: not _geometric(c) or c.compressor.memory == "innovation",
        "innovation with a geometric radius (nothing else shrinks along with it)",
    ),
    Combination(
        "compressor.memory",
        lambda c: not c.compressor.lazy or c.compressor.memory == "innovation",
        "innovation with config.compressor.lazy (the server keeps the last estimate of "
        "a silent client)",
    ),
    Combination(
        "compressor.lazy",
        lambda c: not (c.compressor.lazy and _geometric(c)),
        "False with a geometric radius (it shrinks while a silent client waits)",
    ),
    *(
        Combination(
            option,
            lambda c, value=value, option=option: (
                c.stop.residual == 0 or flatten(c)[option] == value
            ),
            f"{value} with config.stop.residual={{c.stop.residual}} (f* is known for "
            "full-batch gradients of the logistic model at full precision)",
        )
        for option, value in {
            "client.batch": 0,
            "client.epochs": 0,
            "model.name": "logistic",
            "model.weight_bits": 32,
            "model.activation_bits": 32,
            "model.gradient_bits": 32,
        }.items()
    ),
    Combination(
        "log.checkpoint_every",
        lambda c: c.log.checkpoint_every % c.log.every == 0,
        "a multiple of config.log.every={c.log.every}",
    ),
)

TYPES = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    tuple: "integers with commas between",
}


def validate(config: ConfigDict) -> None:
    """Raises `ConfigError` unless `config` can be run.

    It must have the options of `configs.default`, no more and no fewer, each of the
    default's type (an integer may stand for a number), each by its rule, and together
    by the combinations.
    """
    require_options(config)
    for option, value in flatten(config).items():
        rule = RULES[option]
        if not rule.holds(value):
            raise ConfigError(
                f"config.{option}: must be {rule.must}, got {value!r}"
                f"{did_you_mean(value, rule.choices)}"
            )
    for option, holds, must in COMBINATIONS:
        if not holds(config):
            raise ConfigError(
                f"config.{option}: must be {must.format(c=config)}, "
                f"got {flatten(config)[option]!r}"
            )


def require_options(config: ConfigDict) -> None:
    """Raises `ConfigError` unless the options and their types are the default's."""
    defaults, values = flatten(default.get_config()), flatten(config)
    for option, value in values.items():
        if option not in defaults:
            if any(name.startswith(f"{option}.") for name in defaults):
                raise ConfigError(
                    f"config.{option}: must be a group of options, got {value!r}"
                )
            raise ConfigError(
                f"config.{option}: no such option"
                f"{did_you_mean(option, defaults, 'config.')}"
            )
    for option, value in defaults.items():
        if option not in values:
            raise ConfigError(
                f"config.{option}: is missing; start from configs.default.get_config()"
            )
        if not _has_type_of(value, values[option]):
            raise ConfigError(
                f"config.{option}: must be {TYPES[type(value)]}, got {values[option]!r}"
            )


def require_samples(config: ConfigDict, num_samples: int) -> None:
    """Raises `ConfigError` if some client would have no training example."""
    if config.clients > num_samples:
        raise ConfigError(
            "config.clients: must be at most the number of training examples "
            f"({num_samples}), got {config.clients}"
        )


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested groups as one dict: {"compressor.bits": 4, ...}."""
    flat = {}
    for key, value in tree.items():
        if isinstance(value, (ConfigDict, Mapping)):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def did_you_mean(name: Any, names: Iterable[str], prefix: str = "") -> str:
    """The end of an error message: the nearest of `names`, or nothing.

    A bare last part (bits) finds all options that end in it (compressor.bits).
    """
    names, name = list(names), str(name)
    last = [other.rpartition(".")[2] for other in names]
    near = difflib.get_close_matches(name, names, n=1)
    if "." not in name:
        near = [n for n, end in zip(names, last) if end == name] or near
        if not near:
            ends = difflib.get_close_matches(name, last, n=1, cutoff=0.75)
            near = [n for n, end in zip(names, last) if end in ends]
    return f"; did you mean {' or '.join(prefix + n for n in near)}?" if near else ""


def _has_type_of(model: Any, value: Any) -> bool:
    if isinstance(model, tuple):
        return isinstance(value, tuple) and all(_has_type_of(0, x) for x in value)
    if isinstance(value, bool) or isinstance(model, bool):
        return type(value) is type(model)
    return isinstance(value, (int, float) if isinstance(model, float) else type(model))
