"""EF21: the largest hundredth of each client's change (Richtarik et al. 2021).

    python -m experiments.main --config=configs/mnist_ef21.py

Test accuracy 0.894 with 3.51e7 uplink bits (3,510 a message).
"""

from flq_jax.configs import default


def get_config():
    config = default.get_config()
    config.let.keep = 0.01
    config.uplink = "innovation(top_k(keep))"
    return config
