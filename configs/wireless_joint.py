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
    config.let.scheduled = 6  # of the schedulers that other configs put in its place
    config.step = "0.2"
    config.client = "gradient(batch=100)"
    config.uplink = (
        "innovation(one_of((sign(), uniform(2), uniform(4), uniform(8), identity())))"
    )
    config.downlink = "direct(segmented(uniform(8)))"
    config.network = "cell(all_eligible(), thrift=0.5)"
    config.cell.blocks = 6
    config.cell.deadline_s = 0.05
    config.log.every = 25
    return config
