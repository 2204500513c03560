"""A laboratory for low-bit federated learning."""

import importlib
import os
from typing import Any

_HERE = os.path.dirname(__file__)
if not os.path.isdir(os.path.join(_HERE, "configs")):
    # In a clone `experiments`, `configs` and `benchmarks` lie beside this package, and
    # those of this very clone are meant, whichever clone is installed.
    __path__.append(os.path.dirname(_HERE))

__version__ = "0.1.0"  # setup.cfg reads it from here

# What `import flq_jax as flq` offers, by the module it lives in. Each is imported when it
# is first asked for: the package alone is light, and no room imports those above it.
_NAMES = {
    "collectives": ("CompressedMean", "MeanState", "compressed_mean", "state_specs"),
    "compressors": (
        *("Compressor", "Trigger", "clag", "direct", "econtrol", "error_feedback"),
        *("innovation", "lazy", "marina", "momentum", "perm_k", "triggered", "zooming"),
    ),
    "federated": (
        *("MAJORITY_VOTE", "WEIGHTED_MEAN", "Aggregate", "Downlink", "LocalUpdate"),
        *(
            "Network",
            "Outcome",
            "Plan",
            "adaquantfl",
            "augmented",
            "binarized_epochs",
            "bit_training",
            "compressed",
            "crop_and_flip",
            "dadaquant",
            "drawn",
            "everyone",
            "exact",
            "feddyn",
            "fedluar",
            "fednova",
            "fedprox",
            "gradient",
            "local_epochs",
            "local_steps",
            "mask_server",
            "mask_training",
            "mean_of",
            "one_of_fixed",
            "onebit_adam",
            "sampled",
            "scafcom",
            "scaffold",
            "scallion",
            "stateless",
            "tanh_downlink",
            "uniform_downlink",
            "whole",
        ),
    ),
    "ledger": ("every_convention",),
    "networks": ("cell",),
    "quantizers": (
        *(
            "Layout",
            "Message",
            "Quantizer",
            "alq",
            "apart",
            "bucketed",
            "codebook",
            "drive",
        ),
        *(
            "drive_plus",
            "eden",
            "entropy_coded",
            "fixed_point",
            "geometric",
            "halved",
            "identity",
            "in_parts",
            "lloyd_max",
        ),
        *(
            "low_rank",
            "masked_noise",
            "natural",
            "noisy_sign",
            "nuqsgd",
            "one_of",
            "projected",
        ),
        *("quic_fl", "rand_k", "rotated", "segmented"),
        *("sign", "stochastic", "tanh_grid", "terngrad", "thc", "top_k", "two_means"),
        "twos_complement",
        *("uniform", "uveqfed", "warm_up", "zero_one"),
    ),
    "simulation.metric": ("Metric",),
    "simulation.simulation": ("Simulation",),
    "tasks": ("Task", "classification", "multi_label", "next_token", "regression"),
    "testing": ("Claims", "check_compressor", "check_quantizer"),
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}
_ROOMS = (
    *(
        "arguments",
        "bitstream",
        "coding",
        "collectives",
        "compressors",
        "data",
        "entropy",
        "expressions",
        "federated",
        "flower",
        "kernels",
        "keys",
        "ledger",
        "models",
        "networks",
        "optax",
        "precision",
        "quantizers",
        "remote",
        "simulation",
        "single",
        "tasks",
        "testing",
        "wire",
        "wireless",
    ),
)

__all__ = sorted((*_MODULE_OF, *_ROOMS))  # noqa: PLE0605  # pyrefly: ignore [unresolvable-dunder-all]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"flq_jax.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'flq_jax' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"flq_jax.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
