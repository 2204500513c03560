"""What is run is what was asked: by all processes alike, and no run twice unsaid."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
from ml_collections import ConfigDict

from flq_jax import federated
from flq_jax.data.dataset import Dataset

from ..folder.claim import resolve
from ..options.names import flatten
from ..process import console, peers
from ..process.errors import ConfigError


def require_same_options(
    configs: Mapping[str, ConfigDict], folder: pathlib.Path, together: int
) -> None:
    """Raises `ConfigError` unless all processes of a simulation were asked for the same.

    Every one of them must ask, before any other exchange.

    Args:
        configs: name -> config, resolved.
        folder: --workdir.
        together: --together.
    """
    asked = {f"config of {name}": resolve(one) for name, one in configs.items()}
    if list(configs) == [""]:
        asked = {"config": resolve(configs[""])}
    _require_same(
        {"runs": list(configs), "workdir": str(folder), "together": together, **asked}
    )


def require_clients_for_each(config: ConfigDict) -> None:
    """Raises `ConfigError`, in every process, unless each one's devices hold clients."""
    mesh, count = federated.client_mesh(config.clients), jax.process_count()
    if len({device.process_index for device in mesh.devices.flat}) < count:
        raise ConfigError(
            f"config.clients: must be a multiple of the {jax.device_count()} devices of "
            f"all {count} processes, got {config.clients}"
        )


def require_same_data(datasets: Mapping[str, Dataset]) -> None:
    """Likewise of the examples: each process has read them for itself."""
    digests = {f"data {text}": one.digest[:16] for text, one in datasets.items()}
    _require_same(digests)


def _require_same(mine: dict[str, Any]) -> None:
    texts = peers.told_by_all(json.dumps(mine))
    one, *others = [flatten(json.loads(text)) for text in texts]
    for process, other in enumerate(others, 1):
        # By value: 1 and 1.0 are the same number.
        if differ := [k for k in one | other if one.get(k) != other.get(k)]:
            name, *rest = differ
            raise ConfigError(
                f"--coordinator: all processes must be started alike, got {name} "
                f"{one.get(name)!r:.60} in process 0, {other.get(name)!r:.60} in process "
                f"{process}" + f"; and {len(rest)} more" * bool(rest)
            )


def tell_repeats(configs: Mapping[str, ConfigDict]) -> None:
    """One line about runs whose configs are equal: they are computed for nothing."""
    same: dict[str, list[str]] = {}
    for name, config in configs.items():
        same.setdefault(json.dumps(resolve(config), sort_keys=True), []).append(name)
    repeats = [" = ".join(names) for names in same.values() if len(names) > 1]
    if repeats:
        more = f"; and {len(repeats) - 3} more" * (len(repeats) > 3)
        console.tell(
            "runs of one config, each computed though its figures are the same: "
            f"{'; '.join(repeats[:3])}{more}"
        )
