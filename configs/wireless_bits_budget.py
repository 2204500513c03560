"""As much news as a budget of uplink bits carries: a greedy knapsack.

    python -m experiments.main --config=configs/wireless_bits_budget.py

A client's news is the energy that its last innovation brought into the server's step,
times the rounds since: what the server knows of it without being told.
"""

from flq_jax.configs import wireless_joint


def get_config():
    config = wireless_joint.get_config()
    config.let.budget_bits = 200_000
    config.network = "cell(bits_budget(budget_bits), thrift=0.5)"
    return config
