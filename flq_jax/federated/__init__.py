"""The federated step: clients vmapped, rounds looped, one state."""

from flq_jax.federated.adaquantfl import adaquantfl
from flq_jax.federated.aggregation import (
    MAJORITY_VOTE,
    WEIGHTED_MEAN,
    Aggregate,
)
from flq_jax.federated.augmentation import augmented, crop_and_flip
from flq_jax.federated.binarized import binarized_epochs
from flq_jax.federated.bits import Bitwise, bit_training
from flq_jax.federated.dadaquant import dadaquant
from flq_jax.federated.downlink import (
    Downlink,
    compressed,
    exact,
    heard,
    received,
    tanh_downlink,
    uniform_downlink,
)
from flq_jax.federated.feddyn import feddyn
from flq_jax.federated.federation import federation, unraveling
from flq_jax.federated.fedluar import Recycled, fedluar
from flq_jax.federated.fednova import fednova
from flq_jax.federated.fedprox import fedprox
from flq_jax.federated.grouping import suited, suited_mesh
from flq_jax.federated.groups import Grouping, in_groups, together
from flq_jax.federated.local import (
    LocalUpdate,
    Loss,
    drawn,
    gradient,
    one_of_fixed,
    stateless,
    whole,
)
from flq_jax.federated.local_steps import local_epochs, local_steps
from flq_jax.federated.loop import run_rounds
from flq_jax.federated.masks import mask_server, mask_training
from flq_jax.federated.mean_loss import mean_of
from flq_jax.federated.network import Network, Outcome, Plan, everyone, sampled
from flq_jax.federated.onebit_adam import onebit_adam
from flq_jax.federated.rounds import init, round_step
from flq_jax.federated.scaffold import Controlled, scaffold
from flq_jax.federated.scallion import scafcom, scallion
from flq_jax.federated.server import by_tensor, step_along
from flq_jax.federated.sharding import (
    client_mesh,
    from_local,
    local_clients,
    over_clients,
    state_sharding,
)
from flq_jax.federated.state import Federation, Metrics, State

__all__ = [
    "MAJORITY_VOTE",
    "WEIGHTED_MEAN",
    "Aggregate",
    "Bitwise",
    "Controlled",
    "Downlink",
    "Federation",
    "Grouping",
    "LocalUpdate",
    "Loss",
    "Metrics",
    "Network",
    "Outcome",
    "Plan",
    "Recycled",
    "State",
    "adaquantfl",
    "augmented",
    "binarized_epochs",
    "bit_training",
    "by_tensor",
    "client_mesh",
    "compressed",
    "crop_and_flip",
    "dadaquant",
    "drawn",
    "everyone",
    "exact",
    "feddyn",
    "federation",
    "fedluar",
    "fednova",
    "fedprox",
    "from_local",
    "gradient",
    "heard",
    "in_groups",
    "init",
    "local_clients",
    "local_epochs",
    "local_steps",
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
    "scafcom",
    "scaffold",
    "scallion",
    "state_sharding",
    "stateless",
    "step_along",
    "suited",
    "suited_mesh",
    "tanh_downlink",
    "together",
    "uniform_downlink",
    "unraveling",
    "whole",
]
