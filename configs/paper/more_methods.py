"""Methods by composition: what each link brings on MNIST with softmax regression.

    python -m experiments.main --config=configs/paper/more_methods.py --workdir=runs/more
    python -m experiments.report --workdir=runs/more

Ten clients who are all at work, IID, 40 rounds, one seed, nothing tuned; an epoch in batches
of 50 at a rate of 0.05, FedBAT's five epochs, or the full gradient. Under three minutes;
test accuracy 0.91 to 0.92 after epochs, 0.87 to 0.88 of full gradients, but 0.78 of `marina`
at its small step and 0.60 of `decomfl` with 20 scalars a message. Of `adaquantfl`, `scallion`,
`scafcom`, `fedluar` and `fedbif`, the last two on a small network, only three rounds were run.
docs/more_methods.md has a sixth of the examples, and methods that are no single expression.
"""

from flq_jax.configs import default

EPOCH = "local_epochs(optimizer=optax.sgd(0.05), batch=50, epochs=1)"
GRADIENT = "gradient(batch=0)"
BINARIZED = "binarized_epochs(optimizer=optax.sgd(0.05), batch=50, epochs=5)"
DIANA = "innovation(stochastic(1), rate=0.02)"
LEVELS = "one_of((stochastic(1), stochastic(2), stochastic(4), stochastic(8)))"
OF_EPOCH = "optimizer=optax.sgd(0.05), batch=50, epochs=1"  # 120 steps for each client
GAMMA = "6.0"  # 120 steps of 0.05

# name: (uplink, client, step, downlink, network, model)
METHODS = {
    "fedavg": ("direct(identity())", EPOCH),
    "fedpaq": ("direct(stochastic(3))", EPOCH),
    "adaquantfl": (
        f"direct({LEVELS})",
        EPOCH,
        "1.0",
        "exact()",
        "adaquantfl(everyone(), 4)",
    ),
    "scallion": ("direct(halved(eden(1)))", f"scallion({OF_EPOCH}, alpha=0.6)", GAMMA),
    "scafcom": (
        "direct(halved(top_k(0.05, d // 2)))",
        f"scafcom({OF_EPOCH}, beta=0.5)",
        GAMMA,
    ),
    "noisy_sign": ("direct(noisy_sign(0.02))", EPOCH),
    "fedmrn_link": ("direct(masked_noise(0.02))", EPOCH),
    "powersgd": ("error_feedback(low_rank(1, shapes))", EPOCH),
    "sparseloco": (
        'error_feedback(entropy_coded(top_k(0.01, values=stochastic(1, "max"))), '
        "decay=0.95)",
        EPOCH,
    ),
    "fedbat": ("direct(segmented(sign()))", BINARIZED),
    "fedluar": (
        "direct(entropy_coded(apart(segmented(identity()))))",
        f"fedluar({EPOCH}, 1)",
        "1.0",
        "exact()",
        "everyone()",
        "MLP(hidden=(64, 32))",
    ),
    "fedbif": (
        "direct(zero_one())",
        f"bit_training({OF_EPOCH}, bits=4)",
        "1.0",
        "compressed(direct(segmented(twos_complement(4))))",
        "everyone()",
        "MLP(hidden=(64, 32), use_bias=False)",
    ),
    "gd": ("direct(identity())", GRADIENT, "0.5"),
    "diana": (DIANA, GRADIENT, "0.5"),
    "artemis": (
        DIANA,
        GRADIENT,
        "0.5",
        "compressed(innovation(stochastic(7)), adopted=True)",
    ),
    "ef21_sgdm": ("momentum(innovation(top_k(0.05)), 0.5)", GRADIENT, "0.5"),
    "econtrol": ("econtrol(top_k(0.05), 0.05)", GRADIENT, "0.5"),
    "marina": ("marina(stochastic(1), 0.05)", GRADIENT, "0.05"),
    "decomfl": ("direct(projected(20))", GRADIENT, "0.02"),
}


def get_config():
    config = default.get_config()
    config.rounds = 40
    config.split = "iid()"
    config.task = "classification()"
    config.log.every = 20
    config.log.checkpoint_every = 40
    return config


def sweep():
    """name -> config of every method."""
    return {name: _config(*row) for name, row in METHODS.items()}


def _config(uplink, client, step="1.0", downlink="exact()", *others):
    config = get_config()
    config.uplink, config.client = uplink, client
    config.step, config.downlink = step, downlink
    for part, expression in zip(("network", "model"), others):
        config[part] = expression
    return config
