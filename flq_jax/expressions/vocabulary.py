"""Which names the expression of a part may use, and what it must make."""

import functools
import inspect
import typing
from collections.abc import Mapping
from types import ModuleType
from typing import Any, NamedTuple

import flax.linen as nn
import optax

from flq_jax import compressors, data, federated, models, networks, quantizers, tasks
from flq_jax.compressors import Compressor
from flq_jax.data import partition
from flq_jax.data.dataset import Dataset
from flq_jax.expressions import modules
from flq_jax.expressions.expression import ExpressionError, Scope
from flq_jax.federated import Aggregate, Downlink, LocalUpdate, Network
from flq_jax.quantizers import Quantizer
from flq_jax.tasks import Task
from flq_jax.wireless import scheduling


class Part(NamedTuple):
    """One part of a federation.

    Attributes:
        kinds: what its expression makes.
        rooms: whose public names it may use.
        supplied: the values that a run has by then, filled in where a constructor has
            an argument of that name.
        others: what it may use of no public function's kind.
    """

    kinds: tuple[type, ...]
    rooms: tuple[ModuleType, ...]
    supplied: tuple[str, ...]
    others: tuple[str, ...] = ()


_RUN = "clients", "seed"
_DATA = *_RUN, "labels", "users", "num_classes"
_MODEL = *_DATA, "model"
_LOSS = *_MODEL, "loss", "d", "sizes", "shapes"
LINKS = quantizers, compressors
PARTS = {
    "data": Part((Dataset,), (data,), ()),
    "split": Part((tuple,), (partition,), _DATA),
    "model": Part((nn.Module,), (models,), _DATA, ("Bits",)),
    "step": Part((float, int), (), _RUN),
    "task": Part((Task,), (tasks,), _MODEL),
    "client": Part(
        *((LocalUpdate,), (federated,), _LOSS),
        ("drawn", "one_of_fixed", "mean_of", "augmented", "crop_and_flip"),
    ),
    "uplink": Part((Compressor, Quantizer), LINKS, _LOSS, ("geometric",)),
    "downlink": Part(
        (Downlink, Compressor, Quantizer), (*LINKS, federated), _LOSS, ("geometric",)
    ),
    "server": Part((optax.GradientTransformation,), (federated,), _LOSS),
    "aggregate": Part((Aggregate,), (federated,), _RUN),
    "network": Part((Network,), (federated, networks), (*_LOSS, "place", "work")),
}
SCHEDULERS = (
    "all_eligible", "best_channel", "bits_budget", "longest_lived", "oldest",
    "proportional_fair", "random", "round_robin",
)  # fmt: skip
# Values that are only had by name.
NAMED = ("clients", "seed", "rounds")


@functools.cache
def constructors(option: str) -> dict[str, Any]:
    """The public names that a part's expression may use."""
    part = PARTS[option]
    found = {
        name: getattr(room, name)
        for room in part.rooms
        for name in getattr(room, "__all__", vars(room))
        if name in part.others or makes(getattr(room, name), part.kinds)
    }
    if option == "network":
        found |= {name: getattr(scheduling, name) for name in SCHEDULERS}
    return found


def makes(value: Any, kinds: tuple[type, ...]) -> bool:
    """Whether it is a constructor of these kinds, or one of them."""
    if inspect.isclass(value):
        return issubclass(value, kinds) and value not in kinds
    if not inspect.isfunction(value):
        return isinstance(value, kinds)
    made = inspect.get_annotations(value).get("return")
    made = typing.get_origin(made) or made
    return inspect.isclass(made) and issubclass(made, kinds)


def scope(
    option: str, values: Mapping[str, Any], *, from_elsewhere: bool = False
) -> Scope:
    """What the names of a part's expression mean.

    Args:
        option: of `PARTS`.
        values: of the run, see `Part.supplied` and `NAMED`; those of other parts are left
            out, and `_` begins the name of a number, see `canonical.holed`.
        from_elsewhere: whether the expression may be anybody's.
    """
    dotted = modules.imported
    if from_elsewhere:
        dotted = modules.imported_from_elsewhere
    supplied = {n: values[n] for n in PARTS[option].supplied if n in values}
    named = {n: v for n, v in values.items() if n in NAMED or n.startswith("_")}
    return Scope({**constructors(option), **supplied, **named}, supplied, dotted)


@functools.cache
def known(option: str) -> Scope:
    """Likewise where no value is needed, only which ones there are."""
    values = dict.fromkeys([*PARTS[option].supplied, *NAMED])
    return scope(option, values)


def kinds_of(option: str) -> str:
    """What a part's expression makes, in words."""
    kinds = PARTS[option].kinds
    names = {"number" if kind in (float, int) else kind.__name__: 0 for kind in kinds}
    article = "an" if min(names)[0] in "AEIO" else "a"
    return f"{article} {' or '.join(names)}"


def require_kind(option: str, made: Any, text: str) -> None:
    """Raises `ExpressionError` unless the part is of its kind."""
    kinds = PARTS[option].kinds
    if isinstance(made, kinds) and not isinstance(made, bool):
        return
    got = type(made).__name__
    if inspect.isclass(made) or (inspect.isfunction(made) and text[-1] != ")"):
        got = f"the constructor itself; {text}(...) calls it"
    raise ExpressionError(f"{text}: must make {kinds_of(option)}, got {got}")


def require_free(names: Mapping[str, Any]) -> None:
    """Raises `ExpressionError` for a name of `config.let` that means something else."""
    for option in PARTS:
        taken = {*constructors(option), *PARTS[option].supplied, *NAMED, "step"}
        for name in names:
            if name in taken:
                raise ExpressionError(
                    f"{name}: must be a new name, got one that config.{option} knows"
                )
