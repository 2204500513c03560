"""FLQ, QGD and LAQ for several numbers of nodes (Feng, Ning et al. 2023, Fig. 2).

    python -m experiments.main --config=configs/paper/fig2.py --workdir=runs/fig2
    python -m experiments.report --workdir=runs/fig2

The paper says neither how many nodes nor what they do. Here 5, 10 and 20 nodes share
MNIST, and a node does the same work whatever their number: one gradient of 500 examples a
round, 1,000 rounds, one step of the server for all methods (0.2 along the mean, so that
the sum of ten steps by 0.02). QGD is LAQ without silence, GD without quantization too.
"""

from flq_jax.configs import (
    default,
    mnist_flq_binary,
    mnist_flq_low,
    mnist_sgd,
    mnist_slaq,
)

NODES = (5, 10, 20)
STEP = "0.2"


def get_config():
    return default.get_config()


def sweep():
    """name -> config of every method and number of nodes."""
    qgd = mnist_slaq.get_config()
    qgd.uplink = "innovation(uniform(bits))"
    methods = {
        "gd": mnist_sgd.get_config(),
        "qgd": qgd,
        "laq": mnist_slaq.get_config(),
        "flq_binary": mnist_flq_binary.get_config(),
        "flq_low": mnist_flq_low.get_config(),
    }
    return {
        f"{name}-{nodes}-nodes": _config(config, nodes)
        for nodes in NODES
        for name, config in methods.items()
    }


def _config(config, nodes):
    config = config.copy_and_resolve_references()
    config.clients = nodes
    config.rounds = 1000
    config.step = STEP
    return config
