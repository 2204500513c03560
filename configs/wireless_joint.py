"""Joint choice of clients, blocks, bit widths, powers and clocks, for little energy.

    python -m experiments.main --config=configs/wireless_joint.py

15 clients of a cell as in Chen et al. (2021, Table II), but scarcer: 6 resource blocks
instead of 12, a deadline of 50 ms instead of 0.5 s, and clocks that may go down to 0.1
GHz. Each round the Hungarian method gives blocks to those whose examples are the
likeliest to arrive, all send the widest message that fits, and clocks and powers are
the least in time.
"""

from flq_jax.configs import default


def get_config():
    config = default.get_config()
    config.rounds = 500
    config.clients = 15
    config.client.batch = 100
    config.server.aggregate = "mean"
    config.server.learning_rate = 0.2
    config.compressor.quantizer = "adaptive"
    config.compressor.memory = "innovation"
    config.downlink.quantizer = "uniform"
    config.network.name = "cell"
    config.network.blocks = 6
    config.network.scheduler = "everyone"
    config.network.assignment = "hungarian"
    config.network.effort = "least"
    config.network.thrift = 0.5
    config.network.deadline_s = 0.05
    config.log.every = 25
    return config
