"""Parts that do not fit each other are told so before anything is computed."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from flq_jax import federated
from flq_jax.compressors import direct, error_feedback, innovation, lazy, momentum
from flq_jax.federated import LocalUpdate, federation, onebit_adam, stateless, suited
from flq_jax.quantizers import identity, one_of, sign, uniform, warm_up

D, M = 5, 4
COSINE = optax.cosine_decay_schedule(0.1, 10)
AVERAGES = momentum(error_feedback(warm_up(sign(), 3)), 0.9)
WIDTHS = innovation(one_of((sign(), uniform(4))))
SEVERAL = federated.everyone(M)._replace(everyone=False, chooses=True)


def made(**changes):
    parts = {
        "params": jnp.zeros(D),
        "local_update": stateless(lambda key, params, shard: (0.0, params), steps=1),
        "compressor": direct(identity()),
        "server_optimizer": optax.sgd(0.1),
        "network": federated.everyone(M),
    }
    return federation(**parts | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"downlink": federated.compressed(innovation(sign()))},
        {
            "downlink": federated.compressed(innovation(sign())),
            "network": federated.sampled(M, M),
        },
        {"compressor": lazy(innovation(sign())), "network": federated.sampled(2, M)},
        {"compressor": WIDTHS, "network": SEVERAL},
        {"compressor": AVERAGES, "server_optimizer": onebit_adam(0.1, 3, 0.9)},
        {"compressor": AVERAGES, "network": federated.sampled(2, M)},
        {"server_optimizer": optax.sgd(COSINE)},
        {"step_size": jnp.float32(0.1)},
    ],
)
def test_what_fits_is_made(changes):
    made(**changes)


@pytest.mark.parametrize(
    "changes, match",
    [
        (
            {
                "downlink": federated.compressed(innovation(sign())),
                "network": federated.sampled(2, M),
            },
            "everyone hears every broadcast",
        ),
        (
            {
                "compressor": lazy(innovation(sign())),
                "server_optimizer": optax.sgd(COSINE),
            },
            "a lazy uplink measures movements in one step size",
        ),
        ({"compressor": WIDTHS}, "needs a network that chooses"),
        (
            {"compressor": AVERAGES, "network": SEVERAL},
            "takes no warm-up, of uplink or downlink",
        ),
        (
            {"compressor": innovation(warm_up(sign(), 3)), "network": SEVERAL},
            "takes no warm-up, of uplink or downlink",
        ),
        ({"server_optimizer": onebit_adam(0.1, 3)}, "an uplink of averages, as floats"),
        (
            {"compressor": AVERAGES, "server_optimizer": onebit_adam(0.1, 4)},
            "warm_up=4 b1=0.9 needs an uplink with the same, got warm_up=3",
        ),
        (
            {"compressor": AVERAGES, "server_optimizer": onebit_adam(0.1, 3, 0.8)},
            "beta=0.9",
        ),
        (
            {
                "compressor": AVERAGES,
                "server_optimizer": optax.chain(onebit_adam(0.1, 3)),
                "network": federated.sampled(2, M),
            },
            "a network of all clients in every round",
        ),
        (
            {
                "downlink": federated.compressed(direct(one_of((sign(), uniform(4))))),
                "network": SEVERAL,
            },
            "a downlink takes no choice of widths",
        ),
        (
            {"downlink": federated.tanh_downlink(4, (D - 1,)), "network": SEVERAL},
            "must add up to the length",
        ),
        (
            {"downlink": federated.compressed(direct(warm_up(sign(), 3)))}
            | {"network": SEVERAL},
            "takes no warm-up",
        ),
        ({"step_size": 0.0}, "step_size=0.0"),
        ({"step_size": float("nan")}, "step_size=nan"),
        ({"step_size": 1e-46}, "step_size=1e-46"),  # 0 as f32
    ],
)
def test_what_does_not_fit_says_why(changes, match):
    with pytest.raises(ValueError, match=match):
        made(**changes)


@pytest.mark.parametrize(
    "name, part",
    [
        ("local_update", len),
        ("compressor", sign()),
        ("network", None),
        ("downlink", direct(sign())),
        ("aggregate", "mean"),
    ],
)
def test_what_is_no_part_is_named(name, part):
    with pytest.raises(TypeError, match=f"{name} must be a"):
        made(**{name: part})


def test_the_params_come_back_from_the_vector():
    params = {"b": np.arange(3.0), "a": np.ones((2, 2))}
    theta = np.concatenate([np.ones(4), np.arange(3.0)])
    back = federated.unraveling(params)(theta)
    jax.tree.map(np.testing.assert_array_equal, back, params)


@pytest.mark.parametrize(
    "work, shape, size",
    [
        ({"batch": 50, "steps": 1}, (10, 10), 20),  # 1000 examples
        ({"batch": 50, "steps": 1}, (1000, 1000), 2),  # 2e6 floats
        ({"batch": 50, "epochs": 2}, (500, 500), 2),  # four floats a parameter
        ({"batch": 10, "steps": 5}, (500, 500), 2),
        ({"batch": 50, "steps": 1}, (3, 3, 1, 8), 1),  # windows
    ],
)
def test_groups_are_to_stay_in_the_cache(monkeypatch, work, shape, size):
    monkeypatch.setattr(federated.grouping, "in_groups", lambda size, mesh: size)
    update = LocalUpdate(None, **work)
    assert suited(update, jax.ShapeDtypeStruct(shape, np.float32)) == size


@pytest.mark.parametrize(
    "sizes, size", [((100, 3000), 1), ((100, 130), 20), ((0, 9, 9), 1), ((7, 7), 20)]
)
def test_epochs_of_uneven_clients_go_one_by_one(monkeypatch, sizes, size):
    """A group lasts as long as its largest client: more than 1.3 times the mean."""
    monkeypatch.setattr(federated.grouping, "in_groups", lambda size, mesh: size)
    epochs = LocalUpdate(None, batch=50, epochs=1)
    assert suited(epochs, jnp.zeros(3), None, sizes) == size
    steps = LocalUpdate(None, batch=50, steps=2)
    assert suited(steps, jnp.zeros(3), None, sizes) == 20


def test_full_batches_are_computed_together():
    assert suited(LocalUpdate(None, steps=1), jnp.zeros(3)) is federated.together


@pytest.mark.parametrize(
    "work, examples",
    [
        ({"steps": 1}, [6, 0]),
        ({"batch": 4, "steps": 3}, [12, 12]),
        ({"batch": 4, "epochs": 3}, [18, 0]),
        ({"batch": 4, "epochs": 10**9}, [6e9, 0]),  # beyond i32
    ],
)
def test_a_client_says_how_many_examples_it_takes(work, examples):
    found = LocalUpdate(None, **work).examples(jnp.array([6, 0]))
    np.testing.assert_allclose(found, examples)
