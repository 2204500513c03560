"""The rows of the records' tables, and the runs that make them."""

from typing import NamedTuple

from flq_jax.configs import default, mnist_flq_binary

SEEDS = (1, 2, 3)
SMALL, WIDE = "CNN((8, 12, 15))", "CNN((8, 16, 24))"
SPLITS = {
    "iid": "iid()",
    "dirichlet_0.3": "dirichlet(alpha=0.3)",
    "dirichlet_0.1": "dirichlet(alpha=0.1)",
}
ADOPTED = (
    "compressed(innovation(entropy_coded(top_k(0.1, d, values=sign()))), adopted=True)"
)


class Row(NamedTuple):
    """A composition, and how long it runs.

    Attributes:
        uplink: its expression.
        downlink: its expression.
        rounds: of ten clients who are all at work.
        epochs: of a client in a round.
        model: its expression.
    """

    uplink: str
    downlink: str = "exact()"
    rounds: int = 12
    epochs: int = 2
    model: str = SMALL


ROWS = {
    "record": Row("direct(eden(0.1))", ADOPTED, 15, 4),
    "fedavg": Row("direct(identity())"),
    "eden_0.1": Row("direct(eden(0.1))", rounds=15),
    "eden_1": Row("direct(eden(1.0))"),
    "fedpaq": Row("direct(bucketed(stochastic(3), 128))"),
    "ef_sign": Row("error_feedback(sign())", rounds=15),
    "top_k": Row(
        "error_feedback(entropy_coded(top_k(0.01, d, values=identity())))", rounds=15
    ),
    "two_way": Row("direct(eden(0.1))", "innovation(sign())", 15),
    "record_wide": Row("direct(eden(0.1))", "innovation(sign())", 40, 4, WIDE),
}
# Who was not there has missed a broadcast, which can't build on earlier ones, then.
ROWS_OF_A_TENTH = {
    "record": Row("direct(eden(0.1))", "direct(segmented(uniform(8)))"),
    "eden_0.1": ROWS["eden_0.1"],
    "fedavg": ROWS["fedavg"],
}


def all_at_work(data):
    """name -> config: ten clients, all of them in each round, IID."""
    runs = {
        f"{data}-10-iid-{name}-seed{seed}": all_at_work_config(data, row, seed)
        for name, row in ROWS.items()
        for seed in SEEDS
    }
    published = {f"{data}-10-iid-flq-seed{seed}": flq(data, seed) for seed in SEEDS}
    return runs | published


def a_tenth_at_work(data):
    """name -> config: a hundred clients, ten of them in a round, by every split."""
    return {
        f"{data}-100-{split}-{name}-seed{seed}": a_tenth_at_work_config(
            data, row, split, seed
        )
        for split in SPLITS
        for name, row in ROWS_OF_A_TENTH.items()
        for seed in SEEDS
    }


def flq(data, seed):
    """FLQ (Binary) as published: softmax regression, ten clients, a gradient a round."""
    config = mnist_flq_binary.get_config()
    config.data, config.seed = f"{data}()", seed
    config.log.every = 10
    return config


def all_at_work_config(data, row, seed):
    """One of ten clients, all of them in each round, IID."""
    config = default.get_config()
    config.data, config.seed, config.split = f"{data}()", seed, "iid()"
    config.model, config.task = row.model, "classification()"
    config.let.rate, config.let.batch, config.let.epochs = 0.2, 50, row.epochs
    config.client = (
        "local_epochs(optimizer=optax.sgd(rate), batch=batch, epochs=epochs)"
    )
    config.step = "1.0"
    config.uplink, config.downlink, config.rounds = row.uplink, row.downlink, row.rounds
    config.log.every, config.log.checkpoint_every = 1, 5
    config.log.train_loss = 0.0
    return config


def a_tenth_at_work_config(data, row, split, seed):
    """One of a hundred clients, ten of them in a round."""
    config = all_at_work_config(data, row._replace(rounds=60), seed)
    config.clients, config.network = 100, "sampled(10)"
    config.split = SPLITS[split]
    config.let.rate, config.let.batch, config.let.epochs = 0.1, 20, 5
    config.log.every, config.log.checkpoint_every = 2, 20
    return config
