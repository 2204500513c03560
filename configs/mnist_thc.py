"""THC: 4-bit codes of integers that add up, with error feedback (Li et al. 2024).

    python -m experiments.main --config=configs/mnist_thc.py

A message is 4 x 8192 + 32 bits.
Test accuracy 0.907 after 1,000 rounds with 3.28e8 uplink bits.
"""

from flq_jax.configs import default


def get_config():
    config = default.get_config()
    config.let.bits = 4
    config.uplink = "error_feedback(thc(bits))"
    return config
