"""Options by name: nested groups as one dict."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested groups as one dict: {"compressor.bits": 4, ...}."""
    flat = {}
    for key, value in tree.items():
        if isinstance(value, (ConfigDict, Mapping)):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
