"""A CNN of 6,898 parameters under an 8-bit broadcast, with an uplink of floats.

    python -m experiments.main --config=configs/mnist_flq_cnn.py

About 40 ms of CPU a round with AVX-512 (`python -m benchmarks.convolutional_step`). Test
accuracy 0.989 after 1,000 rounds, 0.988 after 500. Between the first and the last layer,
by `--config.model="CNN((8, 16, 24), bits=Bits(W, A, G))"`, after 250, 500, 750 and 1,000
rounds:

    W8A8G8     0.984  0.989  0.990  0.990
    W1A2G6     0.973  0.980  0.982  0.986
    W1A1G32    0.963  0.971  0.976  0.980
"""

from flq_jax.configs import default


def get_config():
    config = default.get_config()
    config.model = "CNN((8, 16, 24))"
    config.task = "classification()"
    config.step = "0.01"
    config.client = "gradient(batch=50)"
    config.uplink = "direct(identity())"
    config.downlink = "direct(segmented(uniform(8)))"
    config.server = (
        "optax.chain(optax.adam(step), "
        "optax.scale_by_schedule(optax.cosine_decay_schedule(1.0, rounds)))"
    )
    config.log.every = 250
    config.log.checkpoint_every = 500
    return config
