"""What the options of a config must be together."""

from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

from ml_collections import ConfigDict

from .rules import SIGNED, UNEVEN


class Combination(NamedTuple):
    """What options must be together; `must` may quote them, as in {c.log.every}."""

    option: str
    holds: Callable[[ConfigDict], bool]
    must: str


def _geometric(c: ConfigDict) -> bool:
    return c.compressor.radius == "geometric"


def _designed(options: ConfigDict) -> bool:
    of_samples = options.source == "samples" and not options.bucket
    return options.quantizer == "lloyd_max" and of_samples


COMBINATIONS = (
    Combination(
        "network.radius_m",
        lambda c: c.network.radius_m > c.network.inner_m,
        "above config.network.inner_m={c.network.inner_m}",
    ),
    Combination(
        "network.frequency_high_hz",
        lambda c: c.network.frequency_high_hz >= c.network.frequency_low_hz,
        "at least config.network.frequency_low_hz={c.network.frequency_low_hz}",
    ),
    Combination(
        "network.name",
        lambda c: c.compressor.quantizer != "adaptive" or c.network.name == "cell",
        "cell with an adaptive quantizer (its widths follow the links)",
    ),
    Combination(
        "warm_up",
        lambda c: c.warm_up or c.server.optimizer != "onebit_adam",
        "1 or more for onebit_adam (its second moment must be known)",
    ),
    Combination(
        "warm_up",
        lambda c: not c.warm_up or c.network.name == "ideal",
        "0 in a cell (its links are planned for messages of one length)",
    ),
    Combination(
        "warm_up",
        lambda c: (
            not c.warm_up
            or not _geometric(c)
            and c.compressor.quantizer not in ("top_k", "rand_k")
            and c.downlink.quantizer != "tanh"
        ),
        "0 for a quantizer without a code a coordinate, a geometric radius, or tanh",
    ),
    Combination(
        "compressor.momentum",
        lambda c: c.compressor.momentum or c.server.optimizer != "onebit_adam",
        "above 0 for onebit_adam (clients send momenta)",
    ),
    Combination(
        "compressor.momentum",
        lambda c: not (c.compressor.momentum and _geometric(c)),
        "0 with a geometric radius, which is prescribed for the updates themselves",
    ),
    Combination(
        "sampled",
        lambda c: not c.sampled or c.network.name == "ideal",
        "0 in a cell (config.network.scheduler takes its place)",
    ),
    Combination(
        "sampled",
        lambda c: c.sampled in (0, c.clients) or c.server.optimizer != "onebit_adam",
        "0 for onebit_adam (the mean gradient is told from two averages of the same "
        "clients)",
    ),
    Combination(
        "sampled",
        lambda c: c.sampled <= c.clients,
        "at most config.clients={c.clients}",
    ),
    Combination(
        "client.batch",
        lambda c: c.client.batch or not c.client.epochs,
        "1 or more with config.client.epochs={c.client.epochs}",
    ),
    Combination(
        "client.draw",
        lambda c: c.client.draw == "examples" or c.client.batch and not c.client.epochs,
        "examples with config.client.batch=0 or local epochs, which take all of them",
    ),
    Combination(
        "downlink.bits",
        lambda c: c.downlink.quantizer != "tanh" or c.downlink.bits >= 2,
        "in 2..8 for the tanh mapping",
    ),
    Combination(
        "downlink.memory",
        lambda c: c.downlink.quantizer != "tanh" or c.downlink.memory == "direct",
        "direct for the tanh mapping (gradients are pulled back through it)",
    ),
    Combination(
        "downlink.memory",
        lambda c: c.network.name != "cell" or c.downlink.memory == "direct",
        "direct with config.network.name={c.network.name} (who was not scheduled has "
        "missed a part)",
    ),
    Combination(
        "downlink.memory",
        lambda c: not c.sampled or c.downlink.memory == "direct",
        "direct with config.sampled={c.sampled} (who was not there has missed a part)",
    ),
    Combination(
        "compressor.bits",
        lambda c: c.compressor.quantizer not in SIGNED or c.compressor.bits >= 2,
        "in 2..8 for {c.compressor.quantizer} (one of them is the sign)",
    ),
    Combination(
        "compressor.warm_start",
        lambda c: not c.compressor.warm_start or _designed(c.compressor),
        "False unless levels are designed from samples: quantizer lloyd_max, source "
        "samples, bucket 0",
    ),
    Combination(
        "compressor.bucket",
        lambda c: not c.compressor.bucket or c.compressor.quantizer not in UNEVEN,
        "0 for {c.compressor.quantizer}, which has no code for each coordinate",
    ),
    Combination(
        "compressor.bucket",
        lambda c: not c.compressor.bucket or c.compressor.quantizer != "adaptive",
        "0 for an adaptive quantizer (a message's length tells its one width)",
    ),
    Combination(
        "compressor.bucket",
        lambda c: not (c.compressor.bucket and _geometric(c)),
        "0 with a geometric radius, which is everyone's",
    ),
    Combination(
        "compressor.bits",
        lambda c: c.compressor.quantizer != "uveqfed" or c.compressor.bits >= 2,
        "in 2..8 for uveqfed (points modulo 2**bits times the lattice)",
    ),
    Combination(
        "compressor.granularity",
        lambda c: (
            c.compressor.quantizer != "thc"
            or c.compressor.granularity >= 2**c.compressor.bits - 1
        ),
        "2**bits - 1 or more for thc, with config.compressor.bits={c.compressor.bits}",
    ),
    Combination(
        "compressor.bits",
        lambda c: not _geometric(c) or c.compressor.bits >= 2,
        "in 2..8 with a geometric radius (the error of one bit is the whole radius)",
    ),
    Combination(
        "compressor.quantizer",
        lambda c: not _geometric(c) or c.compressor.quantizer == "uniform",
        "uniform with a geometric radius",
    ),
    Combination(
        "compressor.memory",
        lambda c: not _geometric(c) or c.compressor.memory == "innovation",
        "innovation with a geometric radius (nothing else shrinks along with it)",
    ),
    Combination(
        "compressor.memory",
        lambda c: not c.compressor.lazy or c.compressor.memory == "innovation",
        "innovation with config.compressor.lazy (the server keeps the last estimate of "
        "a silent client)",
    ),
    Combination(
        "compressor.lazy",
        lambda c: not (c.compressor.lazy and _geometric(c)),
        "False with a geometric radius (it shrinks while a silent client waits)",
    ),
    *(
        Combination(
            option,
            lambda c, value=value, option=option: (
                c.stop.residual == 0 or attrgetter(option)(c) == value
            ),
            f"{value} with config.stop.residual={{c.stop.residual}} (f* is known for "
            "full-batch gradients of all clients, of the logistic model at full "
            "precision)",
        )
        for option, value in {
            "sampled": 0,
            "network.name": "ideal",
            "client.batch": 0,
            "client.epochs": 0,
            "model.name": "logistic",
            "model.weight_bits": 32,
            "model.activation_bits": 32,
            "model.gradient_bits": 32,
        }.items()
    ),
    Combination(
        "log.study",
        lambda c: c.log.study == "none" or c.network.name == "ideal" and not c.sampled,
        "none where client 0 does not take part in every round",
    ),
    Combination(
        "server.schedule",
        lambda c: not c.compressor.lazy or c.server.schedule == "constant",
        "constant with config.compressor.lazy (the rule's threshold has one alpha)",
    ),
    Combination(
        "log.checkpoint_every",
        lambda c: c.log.checkpoint_every % c.log.every == 0,
        "a multiple of config.log.every={c.log.every}",
    ),
)
