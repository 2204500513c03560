"""The federated step: clients vmapped, rounds looped, one state."""

from flq_jax.federated.downlink import Downlink, exact, tanh_downlink, uniform_downlink
from flq_jax.federated.local import LocalUpdate, Loss, gradient, local_epochs, whole
from flq_jax.federated.participation import Participation, everyone, sampled
from flq_jax.federated.rounds import (
    Federation,
    Metrics,
    State,
    init,
    round_step,
    run_rounds,
)

__all__ = [
    "Downlink",
    "Federation",
    "LocalUpdate",
    "Loss",
    "Metrics",
    "Participation",
    "State",
    "everyone",
    "exact",
    "gradient",
    "init",
    "local_epochs",
    "round_step",
    "run_rounds",
    "sampled",
    "tanh_downlink",
    "uniform_downlink",
    "whole",
]
