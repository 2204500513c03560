"""A CNN of 6,898 parameters under an 8-bit broadcast, with an uplink of floats.

    python -m experiments.main --config=configs/mnist_flq_cnn.py

About 40 ms of CPU a round with AVX-512 (`python -m benchmarks.convolutional_step`). Test
accuracy 0.989 after 1,000 rounds, 0.988 after 500. Between the first and the last layer,
by `--config.model.weight_bits=W` and likewise activation_bits, gradient_bits, after 250,
500, 750 and 1,000 rounds:

    W8A8G8     0.984  0.989  0.990  0.990
    W1A2G6     0.973  0.980  0.982  0.986
    W1A1G32    0.963  0.971  0.976  0.980
"""

from flq_jax.configs import default


def get_config():
    config = default.get_config()
    config.l2 = 0.0
    config.model.name = "cnn"
    config.client.batch = 50
    config.downlink.quantizer = "uniform"
    config.server.optimizer = "adam"
    config.server.learning_rate = 0.01
    config.server.schedule = "cosine"
    config.server.aggregate = "mean"
    config.log.every = 250
    config.log.checkpoint_every = 500
    return config
