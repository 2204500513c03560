"""How many clients an accelerator takes at a time: as many as its memory holds."""

import jax
import numpy as np
import pytest
from accelerators import Device

from flq_jax.federated import LocalUpdate, fitting


def shapes(*each):
    return [jax.ShapeDtypeStruct(shape, np.float32) for shape in each]


@pytest.mark.parametrize(
    "params, work, sizes, floats",
    [
        # 8 vectors of 2 x 3, and 4 examples of 2 + 3 floats.
        (shapes((2, 3)), {"batch": 4}, None, 8 * 6 + 4 * 5),
        (shapes((2, 3)), {}, [1, 7], 8 * 6 + 7 * 5),
        (shapes((2, 3)), {}, None, 8 * 6 + 5),
        # 3 and 5 channels at 1,024 positions, and a bias.
        (shapes((2, 2, 3, 5), (5,)), {"batch": 1}, None, 8 * 65 + 8 * 1024 + 5),
    ],
)
def test_a_client_takes_its_vectors_and_its_batch(params, work, sizes, floats):
    for clients in (3, 1):
        # Half of the memory is theirs.
        device = Device(bytes_limit=2 * 4 * floats * clients)
        found = fitting.clients_at_once(
            LocalUpdate(None, **work), params, device, sizes
        )
        assert found == clients
        less = Device(bytes_limit=2 * 4 * floats * clients - 8)
        found = fitting.clients_at_once(LocalUpdate(None, **work), params, less, sizes)
        assert found == max(1, clients - 1)


def test_runs_share_the_memory():
    params, work = shapes((2, 3)), LocalUpdate(None, batch=4)
    device = Device(bytes_limit=2 * 4 * 68 * 12)
    found = [fitting.clients_at_once(work, params, device, None, n) for n in (1, 3, 99)]
    assert found == [12, 4, 1]


def test_who_does_not_tell_is_taken_for_a_small_card(monkeypatch):
    assert fitting.memory_of(Device()) == 16 * 10**9
    assert fitting.memory_of(Device(bytes_limit=5)) == 5

    monkeypatch.setattr(jax, "process_count", lambda: 2)
    assert fitting.memory_of(Device(bytes_limit=5)) == 16 * 10**9
    monkeypatch.undo()

    class ToCompileFor:
        def memory_stats(self):
            raise NotImplementedError

    assert fitting.memory_of(ToCompileFor()) == 16 * 10**9
