"""FedAvg: local epochs on 10 of 100 clients, model deltas (McMahan et al. 2017).

    python -m experiments.main --config=configs/mnist_fedavg.py

About a minute; test accuracy 0.96 after 100 rounds, 1,000 uploads of 32-bit floats.
"""

from flq_jax.configs import default


def get_config():
    config = default.get_config()
    config.rounds = 100
    config.clients = 100
    config.sampled = 10
    config.l2 = 0.0
    config.data.partition = "iid"
    config.model.name = "mlp"
    config.model.hidden = (200, 200)
    config.client.batch = 20
    config.client.epochs = 1
    config.client.learning_rate = 0.1
    config.server.learning_rate = 1.0
    config.server.aggregate = "mean"
    config.log.every = 10
    config.log.checkpoint_every = 50
    return config
