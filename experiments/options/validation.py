"""Whether a config can be run: every option by its rule, and all of them together."""

import keyword
import math
from typing import Any

from ml_collections import ConfigDict

from flq_jax.configs import default
from flq_jax.expressions.modules import OURS
from flq_jax.expressions.nearest import did_you_mean
from flq_jax.single import single

from ..process.errors import ConfigError
from .names import flatten
from .overrides import instead
from .parts import SUPPLIED, trees
from .rules import PAIRS, RULES

TYPES = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    tuple: "integers with commas between",
}


def validate(config: ConfigDict) -> None:
    """Raises `ConfigError` unless `config` can be run.

    It must have the options of `flq_jax.configs.default`, no more and no fewer, each of the
    default's type (an integer may stand for a number), each by its rule, and together
    by the pairs. A number must keep its rule as a 32-bit float, see `single`. Expressions
    must be ones; what they mean is seen when the data are there.
    """
    require_values(config)
    trees(config)
    for option, holds, must in PAIRS:
        if not holds(config):
            raise ConfigError(
                f"config.{option}: must be {must.format(c=config)}, "
                f"got {flatten(config)[option]!r}"
            )


def require_values(config: ConfigDict) -> None:
    """Raises `ConfigError` unless each option by itself can be."""
    require_options(config)
    defaults = flatten(default.get_config())
    for option, value in flatten(config).items():
        if option.startswith("let."):
            _require_let(option.removeprefix("let."), value)
            continue
        rule = RULES[option]
        if not rule.holds(value):
            raise ConfigError(
                f"config.{option}: must be {rule.must}, got {value!r}"
                f"{did_you_mean(value, rule.choices)}"
            )
        if isinstance(defaults[option], float) and not rule.holds(single(value)):
            raise ConfigError(
                f"config.{option}: must be {rule.must}, and be so as a 32-bit float, "
                f"got {value!r:.60}"
            )


def from_json(options: dict[str, Any]) -> ConfigDict:
    """The config of these options, as `config.json` has them, the others the default's.

    Raises:
        ConfigError: one is of another type than the default's.
    """
    config = default.get_config()
    try:
        config.update(options)
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError) as error:
        raise ConfigError(f"config: {' '.join(str(error).split())}") from error
    return config


def require_options(config: ConfigDict) -> None:
    """Raises `ConfigError` unless the options and their types are the default's."""
    defaults, values = flatten(default.get_config()), flatten(config)
    for option, value in values.items():
        if option not in defaults and not option.startswith("let."):
            if any(name.startswith(f"{option}.") for name in defaults):
                raise ConfigError(
                    f"config.{option}: must be a group of options, got {value!r}"
                )
            raise ConfigError(
                f"config.{option}: no such option{instead(option, defaults)}"
            )
    for option, value in defaults.items():
        if option not in values:
            raise ConfigError(
                f"config.{option}: is missing; start from flq_jax.configs.default.get_config()"
            )
        if not _has_type_of(value, values[option]):
            raise ConfigError(
                f"config.{option}: must be {TYPES[type(value)]}, got {values[option]!r}"
            )


def _require_let(name: str, value: Any) -> None:
    """Raises `ConfigError` unless an expression may use the name for such a value."""
    good = name.isidentifier() and not keyword.iskeyword(name)
    taken = *SUPPLIED, *OURS
    if not good or name.startswith("_") or name in taken:
        raise ConfigError(
            f"config.let.{name}: must be a new name, none of {', '.join(taken)}"
        )
    kinds = (bool, int, float, str, tuple)
    finite = not isinstance(value, float) or math.isfinite(value)
    if not isinstance(value, kinds) or not finite:
        raise ConfigError(
            f"config.let.{name}: must be a finite number, a tuple or an expression, got "
            f"{value!r:.60}"
        )


def _has_type_of(model: Any, value: Any) -> bool:
    if isinstance(model, tuple):
        return isinstance(value, tuple) and all(_has_type_of(0, x) for x in value)
    if isinstance(value, bool) or isinstance(model, bool):
        return type(value) is type(model)
    return isinstance(value, (int, float) if isinstance(model, float) else type(model))
