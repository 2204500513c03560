"""Every method beside FLQ: what 1,000 rounds bring, and what they cost.

    python -m experiments.main --config=configs/paper/methods.py --workdir=runs/methods
    python -m experiments.report --workdir=runs/methods

MNIST, ten clients, minibatches of 500, softmax regression; five seeds a method.
About 12 seconds a run; docs/methods.md has the figures. `methods_mlp` repeats it for a
network.
"""

import importlib

from flq_jax.configs import default

METHODS = (
    "sgd", "slaq", "two_laq", "flq_binary", "flq_low", "flq_lloyd_max", "signum", "ef_sign",
    "onebit_sgd", "onebit_adam", "qsgd", "nuqsgd", "alq", "terngrad", "natural", "fixed_point", "top_k",
    "rand_k", "ef21", "clag", "drive", "eden", "quic_fl", "thc", "uveqfed",
)  # fmt: skip
SEEDS = range(5)
STEP = "0.02 * clients"
OWN_STEP = "signum", "onebit_adam"  # a vote and Adam's quotients have another length


def get_config():
    return default.get_config()


def sweep():
    """name -> config of every method and seed."""
    return {
        f"{name}-seed{seed}": _config(name, seed) for seed in SEEDS for name in METHODS
    }


def _config(name, seed):
    config = importlib.import_module(f"flq_jax.configs.mnist_{name}").get_config()
    config.seed = seed
    config.rounds = 1000
    if name not in OWN_STEP:
        config.step = STEP
    return config
