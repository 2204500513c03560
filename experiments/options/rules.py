"""What each option of a config must be."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple


class Rule(NamedTuple):
    """What the value of one option must be: `must` completes "must be ..."."""

    must: str
    holds: Callable[[Any], bool]
    choices: tuple[str, ...] = ()


def integer(low: int, high: int = 2**31 - 1) -> Rule:
    """An integer in low..high; without `high`, one that 32 bits hold."""
    return Rule(f"an integer in {low}..{high}", lambda x: low <= x <= high)


def above(low: float) -> Rule:
    """A finite number above `low`; comparisons refuse NaN."""
    return Rule(f"a finite number above {low}", lambda x: low < x < math.inf)


def at_least(low: float) -> Rule:
    """A finite number, `low` or more."""
    return Rule(f"a finite number, {low} or more", lambda x: low <= x < math.inf)


def one_of(*names: str) -> Rule:
    """One of these names."""
    return Rule(f"one of {', '.join(names)}", lambda x: x in names, names)


def _ascends(numbers: tuple[int, ...]) -> bool:
    return list(numbers) == sorted(set(numbers))


ANY = Rule("any value of its type", lambda x: True)
MODEL_BITS = Rule("an integer in 1..8, or 32", lambda x: 1 <= x <= 8 or x == 32)
WIDTHS = Rule(
    "integers, 1 or more", lambda x: bool(x) and all(units >= 1 for units in x)
)

SCHEDULERS = (
    "everyone",
    "random",
    "round_robin",
    "best_channel",
    "proportional_fair",
    "oldest",
    "longest_lived",
    "bits_budget",
)
QUANTIZERS = (
    "identity", "sign", "plain_sign", "two_means", "uniform", "stochastic", "nuqsgd", "alq",
    "terngrad", "natural", "lloyd_max", "fixed_point", "top_k", "rand_k", "adaptive",
    "drive", "drive_plus", "eden", "quic_fl", "thc", "uveqfed",
)  # fmt: skip
SIGNED = ("stochastic", "nuqsgd", "alq", "fixed_point")  # one of their bits is the sign
# Those without one code for each coordinate, alike for any number of them.
UNEVEN = ("top_k", "rand_k", "drive", "drive_plus", "eden", "quic_fl", "thc")
PARTITIONS = ("contiguous", "iid", "shards", "dirichlet", "quantity_skew", "natural")

RULES = {
    "seed": integer(0, 2**32 - 1),  # beyond it JAX's keys repeat
    "rounds": integer(1),
    "warm_up": integer(0),
    "clients": integer(1),
    "sampled": integer(0),
    "l2": at_least(0),
    "data.name": ANY,
    "data.dir": ANY,
    "data.partition": one_of(*PARTITIONS),
    "data.alpha": Rule("a number in (0, 1e9]", lambda x: 0 < x <= 1e9),
    "data.shards": integer(1),
    "data.min_size": integer(0),
    "model.name": one_of("logistic", "mlp", "cnn", "mcmahan_cnn", "svhn"),
    "model.hidden": WIDTHS,
    "model.channels": WIDTHS,
    "model.bias": ANY,
    "model.weight_bits": MODEL_BITS,
    "model.activation_bits": MODEL_BITS,
    "model.gradient_bits": MODEL_BITS,
    "model.quantize_edges": ANY,
    "model.packed": ANY,
    "client.batch": integer(0),
    "client.draw": one_of("examples", "batches"),
    "client.epochs": integer(0),
    "client.at_once": integer(0),
    "client.learning_rate": above(0),
    "compressor.quantizer": one_of(*QUANTIZERS),
    "compressor.bits": integer(1, 8),
    "compressor.norm": one_of("l2", "max"),
    "compressor.bucket": integer(0),
    "compressor.clip": Rule("a number above 0", lambda x: x > 0),
    "compressor.keep": Rule("a number in (0, 1]", lambda x: 0 < x <= 1),
    "compressor.levels": integer(2, 256),
    "compressor.source": one_of("samples", "gaussian", "laplace"),
    "compressor.warm_start": ANY,
    "compressor.fraction": integer(-100, 100),
    "compressor.rate": Rule("a number in (0, 8]", lambda x: 0 < x <= 8),
    "compressor.unbiased": ANY,
    "compressor.lattice": one_of("scalar", "hexagonal", "d3", "e8"),
    "compressor.reach": at_least(0),
    "compressor.granularity": integer(1, 255),
    "compressor.shared_norm": at_least(0),
    "compressor.radius": one_of("measured", "geometric"),
    "compressor.radius_scale": above(0),
    "compressor.radius_rate": Rule("a number in (0, 1]", lambda x: 0 < x <= 1),
    "compressor.memory": one_of("direct", "error_feedback", "innovation"),
    "compressor.momentum": Rule("a number in [0, 1)", lambda x: 0 <= x < 1),
    "compressor.lazy": ANY,
    "compressor.lazy_rule": one_of("laq", "clag"),
    "compressor.lazy_zeta": at_least(0),
    "compressor.lazy_history": integer(1, 10_000),  # as many floats are summed a round
    "compressor.lazy_weight": at_least(0),
    "compressor.lazy_max_silence": integer(1),
    "compressor.lazy_error_weight": at_least(0),
    "downlink.quantizer": one_of("identity", "uniform", "tanh", "sign"),
    "downlink.memory": one_of("direct", "innovation"),
    "downlink.bits": integer(1, 8),
    "network.name": one_of("ideal", "cell"),
    "network.scheduler": one_of(*SCHEDULERS),
    "network.scheduled": integer(1),
    "network.budget_bits": integer(1),
    "network.blocks": integer(1, 10_000),  # each client's worth on each is compared
    "network.assignment": one_of("hungarian", "random"),
    "network.worth": one_of("examples", "age"),
    "network.effort": one_of("least", "budget", "full"),
    "network.thrift": Rule("a number in [0, 1)", lambda x: 0 <= x < 1),
    "network.most_loss": Rule("a number in (0, 1]", lambda x: 0 < x <= 1),
    "network.widths": Rule(
        "two or more integers of 1..8 or 32, ascending",
        lambda x: len(x) >= 2 and all(map(MODEL_BITS.holds, x)) and _ascends(x),
    ),
    "network.inner_m": above(0),
    **{
        f"network.{option}": above(0)
        for option in (
            "radius_m",
            "exponent",
            "power_w",
            "block_hz",
            "downlink_hz",
            "downlink_power_w",
            "deadline_s",
            "budget_j",
            "frequency_low_hz",
            "frequency_high_hz",
            "capacitance",
            "bit_operations_a_cycle",
        )
    },
    "network.gain_db": Rule("a finite number", math.isfinite),
    **{
        f"network.{option}": at_least(0)
        for option in (
            "shadowing_db",
            "rician",
            "interference_low_w",
            "interference_high_w",
            "waterfall",
            "downlink_interference_w",
            "battery_j",
            "mean_delay",
        )
    },
    "server.optimizer": one_of("sgd", "momentum", "adam", "onebit_adam"),
    "server.learning_rate": above(0),
    "server.schedule": one_of("constant", "cosine"),
    "server.momentum": Rule("a number in [0, 1)", lambda x: 0 <= x < 1),
    "server.epsilon": above(0),
    "server.aggregate": one_of("sum", "mean", "vote"),
    "stop.residual": at_least(0),
    "stop.optimum": at_least(0),
    "accounting.count": one_of("payload", "laq"),
    "accounting.downlink": one_of("broadcast_once", "unicast_uploaders", "unicast_all"),
    "accounting.float_bits": Rule("32 or 64", lambda x: x in (32, 64)),
    "log.every": integer(1),
    "log.checkpoint_every": integer(1),
    "log.study": one_of("none", "messages", "levels"),
    "log.tensorboard": ANY,
}
