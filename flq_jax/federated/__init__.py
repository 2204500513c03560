"""The federated step: clients vmapped, rounds looped, one state."""

from flq_jax.federated.aggregation import (
    MAJORITY_VOTE,
    WEIGHTED_MEAN,
    Aggregate,
)
from flq_jax.federated.binarized import binarized_epochs
from flq_jax.federated.downlink import (
    Downlink,
    compressed,
    exact,
    heard,
    received,
    tanh_downlink,
    uniform_downlink,
)
from flq_jax.federated.federation import federation, unraveling
from flq_jax.federated.grouping import suited
from flq_jax.federated.local import (
    LocalUpdate,
    Loss,
    drawn,
    gradient,
    local_epochs,
    one_of_fixed,
    stateless,
    whole,
)
from flq_jax.federated.loop import run_rounds
from flq_jax.federated.masks import mask_server, mask_training
from flq_jax.federated.mean_loss import mean_of
from flq_jax.federated.network import Network, Outcome, Plan, everyone, sampled
from flq_jax.federated.onebit_adam import onebit_adam
from flq_jax.federated.rounds import init, round_step
from flq_jax.federated.server import by_tensor, step_along
from flq_jax.federated.sharding import (
    Grouping,
    client_mesh,
    from_local,
    in_groups,
    local_clients,
    over_clients,
    state_sharding,
    together,
)
from flq_jax.federated.state import Federation, Metrics, State

__all__ = [
    "MAJORITY_VOTE",
    "WEIGHTED_MEAN",
    "Aggregate",
    "Downlink",
    "Federation",
    "Grouping",
    "LocalUpdate",
    "Loss",
    "Metrics",
    "Network",
    "Outcome",
    "Plan",
    "State",
    "binarized_epochs",
    "by_tensor",
    "client_mesh",
    "compressed",
    "drawn",
    "everyone",
    "exact",
    "federation",
    "from_local",
    "gradient",
    "heard",
    "in_groups",
    "init",
    "local_clients",
    "local_epochs",
    "mask_server",
    "mask_training",
    "mean_of",
    "one_of_fixed",
    "onebit_adam",
    "over_clients",
    "received",
    "round_step",
    "run_rounds",
    "sampled",
    "state_sharding",
    "stateless",
    "step_along",
    "suited",
    "tanh_downlink",
    "together",
    "uniform_downlink",
    "unraveling",
    "whole",
]
