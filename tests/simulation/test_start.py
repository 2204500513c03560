"""Where the clients' examples lie."""

import jax
import numpy as np
import pytest

from flq_jax.simulation import start


@pytest.mark.parametrize(
    "clients, everyone, most, rows",
    [
        (4, True, 10**9, 2),  # each device has its own clients'
        (4, False, 10**9, 4),  # any may be asked anywhere
        (4, False, 10, 2),  # too many for that
        (3, True, 10**9, 3),  # not to be shared out evenly
    ],
)
def test_devices_have_the_examples_that_they_may_want(
    monkeypatch, clients, everyone, most, rows
):
    monkeypatch.setattr(start, "MOST_EVERYWHERE", most)
    inputs = np.arange(24, dtype=np.uint8).reshape(12, 2)
    parts = np.split(np.arange(12), clients)
    mesh = jax.sharding.Mesh(jax.devices()[:2], ("clients",))
    data = start.spread(
        inputs, np.arange(12), parts, mesh, batch=2, longest=4, everyone=everyone
    )
    for leaf in data:
        assert {part.data.shape[0] for part in leaf.addressable_shards} == {rows}
    np.testing.assert_array_equal(np.asarray(data.labels)[:, 0], [p[0] for p in parts])
