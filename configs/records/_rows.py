"""The rows of the records' tables, and the runs that make them."""

from typing import NamedTuple

from flq_jax.configs import default, mnist_flq_binary

SEEDS = (1, 2, 3)
CNN = "CNN((8, 16, 24))"  # 6,898 parameters, of which messages are as long as 8,192
SPLITS = {
    "iid": "iid()",
    "dirichlet_0.3": "dirichlet(alpha=0.3)",
    "dirichlet_0.1": "dirichlet(alpha=0.1)",
}
SHARED_OUT = "perm_k(10, sign())"
# The broadcast that says again what ten clients said. The first has no news, and is coded
# in next to nothing.
RELAYED = (
    "compressed(innovation(entropy_coded(rotated(in_parts(sign(), 10)))), "
    "adopted=True, relayed=True)"
)


class Row(NamedTuple):
    """A composition, and how long it runs.

    Attributes:
        uplink: its expression.
        downlink: its expression.
        rounds: of the run.
        epochs: of a client in a round.
        model: its expression.
        moved: whether images are moved by up to a pixel, anew in each batch.
        server: its optimizer's expression.
        rate: a client's step.
        batch: examples of a step.
    """

    uplink: str
    downlink: str = "exact()"
    rounds: int = 12
    epochs: int = 2
    model: str = CNN
    moved: bool = True
    server: str = "optax.sgd(step)"
    rate: float = 0.2
    batch: int = 50


RECORD = Row(SHARED_OUT, RELAYED, 11, 8)
ROWS = {
    "record": RECORD,
    "fedavg": Row("direct(identity())"),
    "eden_0.1": Row("direct(eden(0.1))"),
    "eden_1": Row("direct(eden(1.0))"),
    "fedpaq": Row("direct(bucketed(stochastic(3), 128))"),
    "ef_sign": Row("error_feedback(sign())"),
    "top_k": Row("error_feedback(entropy_coded(top_k(0.01, d, values=identity())))"),
}
UNDER_SKEW = ("record", "fedavg")
# Who was not there has missed a broadcast, which can't build on earlier ones, then.
EIGHT_BITS = "direct(segmented(uniform(8)))"
ROWS_OF_A_TENTH = {
    "record": Row(SHARED_OUT, EIGHT_BITS, 12, 20, rate=0.1, batch=20),
    "fedavg": Row("direct(identity())", rounds=20, epochs=5, rate=0.1, batch=20),
}


def all_at_work(data):
    """name -> config: ten clients, all of them in each round, by every split.

    IID there are all rows; under label skew the record, and floats.
    """
    runs = {
        f"{data}-10-{split}-{name}-seed{seed}": all_at_work_config(
            data, ROWS[name], seed, split
        )
        for split in SPLITS
        for name in (ROWS if split == "iid" else UNDER_SKEW)
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


def all_at_work_config(data, row, seed, split="iid"):
    """One of ten clients, all of them in each round."""
    config = default.get_config()
    config.data, config.seed, config.split = f"{data}()", seed, SPLITS[split]
    config.model, config.task = row.model, "classification()"
    config.let.rate, config.let.batch = row.rate, row.batch
    config.let.epochs = row.epochs
    loss = "augmented(loss, crop_and_flip(1, flip=False)), " if row.moved else ""
    config.client = (
        f"local_epochs({loss}optimizer=optax.sgd(rate), batch=batch, epochs=epochs)"
    )
    config.step, config.server = "1.0", row.server
    config.uplink, config.downlink, config.rounds = row.uplink, row.downlink, row.rounds
    config.log.every, config.log.checkpoint_every = 1, 5
    config.log.train_loss = 0.0
    return config


def a_tenth_at_work_config(data, row, split, seed):
    """One of a hundred clients, ten of them in a round."""
    config = all_at_work_config(data, row, seed, split)
    config.clients, config.network = 100, "sampled(10)"
    return config
