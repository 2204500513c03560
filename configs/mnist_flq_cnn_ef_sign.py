"""The CNN of `mnist_flq_cnn` with one bit a coordinate up, and error feedback.

    python -m experiments.main --config=configs/mnist_flq_cnn_ef_sign.py

Test accuracy 0.980 after 1,000 rounds and 6.93e7 uplink bits; 0.976 after 500 and 3.47e7.
"""

from flq_jax.configs import mnist_flq_cnn


def get_config():
    config = mnist_flq_cnn.get_config()
    config.step = "0.005"
    config.uplink = "error_feedback(sign())"
    return config
