"""Whether a config can be run: every option by its rule, and all of them together."""

from collections.abc import Iterable
from typing import Any

from ml_collections import ConfigDict

from flq_jax.configs import default
from flq_jax.single import single

from ..process.errors import ConfigError
from .combinations import COMBINATIONS
from .names import did_you_mean, flatten
from .rules import RULES

# Examples drawn at once, as a multiple of those that there are.
MOST_DRAWS = 10
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
    by the combinations. A number must keep its rule as a 32-bit float, see `single`.
    """
    require_values(config)
    for option, holds, must in COMBINATIONS:
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
                f"config.{option}: is missing; start from flq_jax.configs.default.get_config()"
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


def require_batch(config: ConfigDict, sizes: Iterable[int]) -> None:
    """Raises `ConfigError` if a minibatch is far larger than every client's share.

    Drawn with replacement it may exceed a share, whose gradient costs less and tells
    more; beyond `MOST_DRAWS` times the largest that is no choice but a slip, and its
    cost has no bound. Local epochs and fixed batches take what there is, and no more.

    Args:
        config: validated.
        sizes: how many examples each client has.
    """
    client, largest = config.client, max(sizes)
    drawn = client.draw == "examples" and not client.epochs
    if drawn and client.batch > MOST_DRAWS * largest:
        raise ConfigError(
            f"config.client.batch: must be at most {MOST_DRAWS} times the {largest} "
            f"examples of the largest client, or 0 for all that a client has, got "
            f"{client.batch}"
        )


def _has_type_of(model: Any, value: Any) -> bool:
    if isinstance(model, tuple):
        return isinstance(value, tuple) and all(_has_type_of(0, x) for x in value)
    if isinstance(value, bool) or isinstance(model, bool):
        return type(value) is type(model)
    return isinstance(value, (int, float) if isinstance(model, float) else type(model))
