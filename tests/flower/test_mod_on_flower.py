"""The mod with an app that there is, on Flower itself: a link and two nodes on loopback."""

import time

import numpy as np
import pytest

pytest.importorskip("flwr", reason="needs the extra [flower], see .ci/flower")

from flq_jax.experiments.deployment import bundle
from flq_jax.experiments.deployment.fleet import Fleet, Tls, members

PATIENCE_S = 240.0
SENT = np.float32([[1, 2], [3, 4]]), np.float32([5, 6])
STEP = np.float32([1, -3, 2, 1, -4, 13])  # node 0; node 1 comes twice as far
ROUNDS = 2
# All of it is Flower's own but for the two lines that name the link.
APP = f"""
import pathlib

import numpy as np
from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg

from flq_jax.compressors import error_feedback
from flq_jax.flower.mod import compressing, restoring
from flq_jax.quantizers import sign

LINK = error_feedback(sign())
client = ClientApp(mods=[compressing(LINK)])
server = ServerApp()


@client.train()
def train(message, context):
    step = (1 + context.node_config["node"]) * np.float32({STEP.tolist()})
    arrays = message.content["arrays"].to_numpy_ndarrays()
    new = [arrays[0] + step[:4].reshape(2, 2), arrays[1] + step[4:]]
    metrics = MetricRecord({{"num-examples": 1}})
    content = RecordDict({{"arrays": ArrayRecord(new), "metrics": metrics}})
    return Message(content, reply_to=message)


@server.main()
def main(grid, context):
    folder = pathlib.Path(context.run_config["folder"])
    first = ArrayRecord([np.float32({SENT[0].tolist()}), np.float32({SENT[1].tolist()})])
    strategy = FedAvg(fraction_evaluate=0.0, min_train_nodes=2, min_available_nodes=2)
    found = strategy.start(
        grid=restoring(grid, LINK), initial_arrays=first, num_rounds={ROUNDS}
    )
    np.savez(folder / "half.npz", *found.arrays.to_numpy_ndarrays())
    (folder / "half.npz").rename(folder / "found.npz")
"""


def decoded(x):
    """What a message of signs says of x: their mean magnitude, and the signs."""
    return np.where(x >= 0, 1, -1) * np.abs(x).mean()


def by_hand():
    """FedAvg's arrays after two rounds of signs, with error feedback at both nodes."""
    model, errors = np.concatenate([x.ravel() for x in SENT]), [np.zeros(6)] * 2
    for _ in range(ROUNDS):
        wanted = [(1 + n) * STEP + errors[n] for n in (0, 1)]
        errors = [x - decoded(x) for x in wanted]
        model = model + np.mean([decoded(x) for x in wanted], axis=0)
    return model


@pytest.mark.more
def test_strategies_see_the_arrays_of_signs_and_nodes_keep_what_was_left_out(tmp_path):
    home = tmp_path / "home"
    bundle.write(home / "app", {"folder": str(tmp_path)}, APP)
    with Fleet(home, tmp_path / "logs", Tls()) as fleet:
        fleet.link()
        for number in (0, 1):
            fleet.node(number, 2, fleet.port)
        fleet.submit(home / "app")
        end = time.monotonic() + PATIENCE_S
        while not (tmp_path / "found.npz").exists():
            assert time.monotonic() < end, fleet.last_words("link")
            time.sleep(0.1)
    found = np.load(tmp_path / "found.npz")
    flat = np.concatenate([found[name].ravel() for name in found.files])
    assert [found[name].shape for name in found.files] == [(2, 2), (2,)]
    np.testing.assert_allclose(flat, by_hand(), rtol=1e-6)
    assert not members(home)
