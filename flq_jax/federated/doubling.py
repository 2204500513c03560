"""Networks that tell clients to send twice the levels, by what the losses do."""

from collections.abc import Callable
from typing import Any

from flq_jax.arguments import require_instance, require_integer
from flq_jax.federated.network import Network


def require_doubling(where: str, network: Network, options: int) -> None:
    """Raises TypeError unless `network` is one, and ValueError unless it loses nothing and
    chooses nothing, and `options` is 2 or more."""
    require_instance(where, "network", network, Network)
    if not network.lossless or network.chooses:
        raise ValueError(
            f"{where}: network must lose no messages and choose no widths, as everyone() "
            "and sampled(n)"
        )
    require_integer(where, "options", options, 2)


def doubling(
    network: Network,
    options: int,
    init: Callable[[], Any],
    plan: Callable[..., Any],
    hear: Callable[..., Any],
) -> Network:
    """The network whose plans choose among `options`, each twice the levels of the last.

    Args:
        network: of all who might be asked.
        options: of the uplink's `one_of`.
        init, plan, hear: see `Network`, of a state whose field `network` is the network's.
    """

    def settle(key, state, plan, num_bits, news):
        outcome = network.settle(key, state.network, plan, num_bits, news)
        return outcome._replace(state=state._replace(network=outcome.state))

    return network._replace(
        init=init,
        plan=plan,
        settle=settle,
        hear=hear,
        chooses=True,
        options=options,
        doubles=True,
    )
