"""1-bit Adam: floats for 100 rounds, then one bit a coordinate each way (Tang et al. 2021).

python -m experiments.main --config=configs/mnist_onebit_adam.py

About 15 s; test accuracy 0.909 with 3.22e8 uplink bits, of which 2.51e8 in the warm-up,
and 3.22e7 downlink bits.
"""

from flq_jax.configs import default


def get_config():
    config = default.get_config()
    config.let.float_rounds = 100
    config.let.beta = 0.9
    config.step = "3e-3"
    config.uplink = "momentum(error_feedback(warm_up(sign(), float_rounds)), beta)"
    config.downlink = "innovation(warm_up(segmented(sign()), float_rounds))"
    config.server = "onebit_adam(step, float_rounds, b1=beta, eps=1e-3)"
    return config
