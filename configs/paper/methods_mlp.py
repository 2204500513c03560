"""Every method of `methods` on a network, 784-128-10: five seeds each.

    python -m experiments.launch --config=configs/paper/methods_mlp.py --workdir=runs/network
    python -m experiments.report --workdir=runs/network

The steps and triggers are those of softmax regression, tuned for none. About a minute a
run; docs/methods.md has the figures.
"""

from flq_jax.configs import default
from flq_jax.configs.paper import methods


def get_config():
    return default.get_config()


def sweep():
    """name -> config of every method and seed."""
    return {name: _config(name, config) for name, config in methods.sweep().items()}


def _config(name, config):
    low = name.startswith("flq_low-")
    config.model = "MLP((128,), bits=Bits(8, 8, 8))" if low else "MLP((128,))"
    return config
