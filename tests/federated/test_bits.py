"""FedBiF: one bit of each weight a round, worked by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from flq_jax import federated, keys
from flq_jax.compressors import direct
from flq_jax.data.clients import ClientData
from flq_jax.federated.bits import added, frozen, rounded, rounding
from flq_jax.quantizers import segmented, twos_complement, zero_one

# On the grid of 3 bits with a = 1/2: k of -4, -1, 0, 1, 3, codes 0, 3, 4, 5, 7.
X = np.float32([-2.0, -0.5, 0.0, 0.5, 1.5])


@pytest.mark.parametrize(
    "position, bits, rest, worth",
    [
        (2.0, [0, 0, 1, 1, 1], [-2.0, -0.5, -2.0, -1.5, -0.5], 2.0),
        (1.0, [0, 1, 0, 0, 1], [-2.0, -1.5, 0.0, 0.5, 0.5], 1.0),
        (0.0, [0, 1, 0, 1, 1], [-2.0, -1.0, 0.0, 0.0, 1.0], 0.5),
    ],
)
def test_a_frozen_tensor_has_every_bit_but_one(position, bits, rest, worth):
    part = frozen(X, jnp.float32(position), 3)
    np.testing.assert_array_equal(part.bit, bits)
    np.testing.assert_allclose(part.rest, rest)
    np.testing.assert_allclose(part.worth, worth)


def test_a_gradient_passes_a_bit_as_it_is():
    virtual = jnp.array([-1e-4, 1e-4])
    np.testing.assert_allclose(added(virtual, 2.0), [0.0, 2.0])
    slope = jax.grad(lambda v: jnp.vdot(jnp.array([3.0, 5.0]), added(v, 2.0)))(virtual)
    np.testing.assert_allclose(slope, [3.0, 5.0])


def test_rounding_is_unbiased_on_a_grid_that_is_kept(key):
    """a = 1/2 of R = 2; what is not above R - a is right in the mean."""
    many = jax.vmap(rounded, (0, None, None))(
        jax.random.split(key, 4000), jnp.float32([-2.0, 0.3, 1.2]), 3
    )
    np.testing.assert_allclose(many.mean(0), [-2.0, 0.3, 1.2], atol=0.02)
    np.testing.assert_allclose(many / 0.5, np.round(many / 0.5), atol=1e-5)
    quantizer = twos_complement(3)
    for x in (many[0], X, -X):
        kept = rounded(jax.random.key(1), x, 3)
        found = quantizer.decode(key, quantizer.encode(key, kept))
        np.testing.assert_allclose(found, kept, rtol=1e-6)


def test_the_server_takes_the_mean_of_the_bits_and_the_next_place():
    """Half of the clients want the 1 of 2^1 in 0.0: 0.5, on the grid of -2 to 1.5."""
    made = rounding(optax.sgd(1.0), 3, [(3,), (2,)])
    params = jnp.float32([-2.0, -0.5, 0.0, 0.5, 1.5, 1.0])
    means = jnp.float32([0.0, 1.0, 0.5, 1.0, 1.0, 0.0])
    moved, _ = made.update(means, made.init(params), params, round_index=jnp.int32(0))
    after = np.asarray(params + moved)
    # Of the second, a is 1/2 and 0.5 has the code 101: its middle bit is set, both are 1.5. The
    # grid ends one step below 1.5, at 1.5 - 1.5 / 4.
    np.testing.assert_allclose(after[:5], [-2.0, -0.5, 0.5, 1.125, 1.125], atol=1e-6)
    assert after[5] == 0.0
    back, _ = made.update(means, made.init(params), jnp.asarray(after), round_index=1)
    assert (after + back)[5] == 2.0


def loss(params, inputs, targets, weights, key):
    del key
    return jnp.vdot(weights, (inputs @ params["w"][:, 0] - targets) ** 2) / 2


def problem():
    """Two clients with one line of 4 weights between -1 and 1."""
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((2, 40, 4)).astype(np.float32)
    targets = inputs @ np.float32([0.75, -1.0, 0.25, 0.5])
    return ClientData(inputs, targets, np.int32([40, 40]))


def test_a_line_is_learned_in_a_bit_a_weight_up_and_five_down():
    model = {"w": jnp.float32([[0.3], [-1.2], [-0.4], [0.1]])}
    work = federated.bit_training(loss, optax.sgd(0.05), 8, 2, 5, [(4, 1)])
    down = federated.compressed(direct(segmented(twos_complement(5), [4, 1])))
    fed = federated.federation(
        model,
        work,
        direct(zero_one()),
        optax.sgd(1.0),
        federated.everyone(2),
        downlink=down,
    )
    state = federated.init(fed, model, 2)
    step = jax.jit(functools.partial(federated.round_step, fed, keys.seed_key(0)))
    losses = []
    for k in range(40):
        state, metrics = step(problem(), state, np.int32(k))
        losses.append(float(metrics.loss))
        np.testing.assert_array_equal(metrics.uplink_bits, 5)
        assert metrics.downlink_bits == 5 * 5 + 2 * 32
    assert losses[-1] < 0.05 * losses[0]  # of a round of the lowest bit
    found = fed.unravel(state.params).model["w"][:, 0]
    np.testing.assert_allclose(found, [0.75, -1.0, 0.25, 0.5], atol=0.15)
