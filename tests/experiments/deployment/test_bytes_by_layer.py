"""A deployment's bytes at each layer, by what crossed and what was sent."""

from flq_jax import wire
from flq_jax.experiments.deployment import history, report
from flq_jax.experiments.deployment.proxy import Count

FLEET = "/v1/fleet/"
COUNTS = {
    f"{FLEET}push-object": Count(3, 900, 600, 30, 3),
    f"{FLEET}push-messages": Count(1, 200, 50, 10, 1),
    f"{FLEET}pull-messages": Count(9, 90, 9, 400, 300),
    f"{FLEET}get-fab": Count(1, 10, 5, 90_000, 89_000),
    f"{FLEET}send-node-heartbeat": Count(2, 70, 20, 60, 10),
}
OVERHEAD = wire.OVERHEAD_BYTES


def _line(k):
    told = {"up_frames": 500, "messages": 2, "down_frame": 100}
    return {"round": k, "there": [0, 1], "anew": [], "bytes": told}


def test_layers_are_of_this_session_and_without_the_app(tmp_path):
    for k in range(3):
        history.add(tmp_path, _line(k))
    _, up, down = report.layers(tmp_path, COUNTS, before=1)
    payload = 2 * (500 - 2 * OVERHEAD)
    assert up == ["uplink", f"{payload}", "1,000", "650", "1,260"]
    assert down == ["downlink", f"{2 * (100 - OVERHEAD)}", "200", "300", "500"]


def test_what_tls_hides_is_not_told(tmp_path):
    history.add(tmp_path, _line(0))
    _, up, down = report.layers(tmp_path, {"": Count(0, 9000, 0, 8000, 0)}, before=0)
    assert up[3:] == ["-", "9,000"] and down[3:] == ["-", "8,000"]
