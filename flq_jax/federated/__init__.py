"""The federated step: clients vmapped, rounds looped, one state."""

from flq_jax.federated.downlink import Downlink, exact, tanh_downlink, uniform_downlink
from flq_jax.federated.local import LocalUpdate, Loss, gradient, local_epochs, whole
from flq_jax.federated.loop import run_rounds
from flq_jax.federated.network import Network, Outcome, Plan, everyone, sampled
from flq_jax.federated.rounds import (
    Federation,
    Metrics,
    State,
    init,
    round_step,
)
from flq_jax.federated.sharding import (
    client_mesh,
    one_by_one,
    over_clients,
    state_sharding,
)

__all__ = [
    "Downlink",
    "Federation",
    "LocalUpdate",
    "Loss",
    "Metrics",
    "Network",
    "Outcome",
    "Plan",
    "State",
    "client_mesh",
    "everyone",
    "exact",
    "gradient",
    "init",
    "local_epochs",
    "one_by_one",
    "over_clients",
    "round_step",
    "run_rounds",
    "sampled",
    "state_sharding",
    "tanh_downlink",
    "uniform_downlink",
    "whole",
]
