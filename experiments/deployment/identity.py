"""What both ends must name, or they would not compute the same run."""

import hashlib
import json

from ml_collections import ConfigDict

from flq_jax import wire
from flq_jax.data.dataset import Dataset

from ..folder.claim import resolve


def identity(config: ConfigDict, dataset: Dataset) -> str:
    """A digest of the config in its one way, its own modules, its data, and the wire."""
    named = [resolve(config), dataset.digest, wire.VERSION]
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()
