"""FedAvg: local epochs on 10 of 100 clients, model deltas (McMahan et al. 2017).

    python -m experiments.main --config=configs/mnist_fedavg.py

About a minute; test accuracy 0.96 after 100 rounds, 1,000 uploads of 32-bit floats.
"""

from flq_jax.configs import default


def get_config():
    config = default.get_config()
    config.rounds = 100
    config.clients = 100
    config.let.rate = 0.1
    config.let.batch = 20
    config.let.epochs = 1
    config.split = "iid()"
    config.model = "MLP((200, 200))"
    config.task = "classification()"
    config.step = "1.0"
    config.client = (
        "local_epochs(optimizer=optax.sgd(rate), batch=batch, epochs=epochs)"
    )
    config.uplink = "direct(identity())"
    config.network = "sampled(10)"
    config.log.every = 10
    config.log.checkpoint_every = 50
    return config
