"""What the server hears in 200 communications (Feng, Ning et al. 2023, Fig. 3).

    python -m experiments.main --config=configs/paper/fig3.py

FLQ (Low-bitwidth); client 0. `figures/messages.png` and `.json` have two coordinates of
its gradient beside what the server holds of them, the entropy of its codes and the share
of signs that change from round to round.
"""

from flq_jax.configs import mnist_flq_low


def get_config():
    config = mnist_flq_low.get_config()
    config.rounds = 200
    config.log.study = "messages"
    return config
