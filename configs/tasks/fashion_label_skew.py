"""Client algorithms under label skew: Fashion-MNIST, floats and one bit, three seeds.

    python -m experiments.launch --config=configs/tasks/fashion_label_skew.py --cores=1 --workdir=runs/fashion
    python -m experiments.report --workdir=runs/fashion

100 clients, 10 a round, an epoch of batches of 20, the network 784-200-200-10; IID, and
shares of labels from Dirichlet(0.3) and Dirichlet(0.1). Steps and weights were chosen on
seed 0 under Dirichlet(0.1). One bit is the sign and a scale for each tensor: SCAFFOLD's
message holds two models of different magnitude. 72 runs; docs/tasks.md has the figures.
"""

from flq_jax.configs import mnist_fedavg

SPLITS = {
    "iid": "iid()",
    "dirichlet_0.3": "dirichlet(alpha=0.3)",
    "dirichlet_0.1": "dirichlet(alpha=0.1)",
}
EPOCHS = "optimizer=optax.sgd(rate), batch=batch, epochs=epochs"
CLIENTS = {
    "fedavg": (0.1, f"local_epochs({EPOCHS})"),
    "fedprox": (0.1, f"fedprox({EPOCHS}, mu=0.01)"),
    "scaffold": (0.05, f"scaffold({EPOCHS})"),
    "feddyn": (0.1, f"feddyn({EPOCHS}, alpha=0.03)"),
}
LINKS = {"floats": "direct(identity())", "one_bit": "error_feedback(segmented(sign()))"}
SEEDS = (1, 2, 3)


def get_config():
    config = mnist_fedavg.get_config()
    config.data = "fashion_mnist()"
    config.rounds = 300
    config.log.checkpoint_every = 100
    return config


def sweep():
    """name -> config of every split, algorithm, link and seed."""
    return {
        f"{split}-{client}-{link}-seed{seed}": _config(split, client, link, seed)
        for seed in SEEDS
        for split in SPLITS
        for client in CLIENTS
        for link in LINKS
    }


def _config(split, client, link, seed):
    config = get_config()
    config.seed = seed
    config.split = SPLITS[split]
    config.let.rate, config.client = CLIENTS[client]
    config.uplink = LINKS[link]
    return config
