"""Magnusson et al.'s gradient descent on random quadratics: the rate is kept to."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.compressors import Broadcast, innovation, zooming
from flq_jax.quantizers import geometric, uniform

CLIENTS, D = 4, 6
SMOOTHNESS, CONVEXITY = 3.0, 1.0
STEP = 2 / (SMOOTHNESS + CONVEXITY)


def quadratics(seed):
    """Hessians with eigenvalues in [1, 3] and minimisers of the clients, f32."""
    rng = np.random.default_rng(seed)
    rotations = np.linalg.qr(rng.normal(size=(CLIENTS, D, D)))[0]
    spectra = rng.uniform(CONVEXITY, SMOOTHNESS, (CLIENTS, 1, D))
    hessians = (rotations * spectra) @ rotations.transpose(0, 2, 1)
    return np.float32(hessians), np.float32(rng.normal(size=(CLIENTS, D)))


def prescribed(seed, bits):
    """The grid for x^0 = 0."""
    hessians, centres = quadratics(seed)
    first = np.einsum("mij,mj->mi", hessians, centres)
    best = np.linalg.solve(hessians.mean(axis=0), first.mean(axis=0))
    grid = zooming(
        SMOOTHNESS,
        CONVEXITY,
        D,
        distance=float(np.linalg.norm(best)),
        gradient=float(np.abs(first).max()),
        bits=bits,
    )
    return grid, best


def descend(seed, bits, scale, rate, rounds):
    """||x^k - x*|| f32[k] before each round, and overloads."""
    hessians, centres = quadratics(seed)
    link = innovation(uniform(bits, geometric(scale, rate)))
    best = np.linalg.solve(
        hessians.mean(axis=0), np.einsum("mij,mj->i", hessians, centres) / CLIENTS
    )
    key = jax.random.key(0)

    @jax.jit
    def run():
        def client(hessian, centre, memory, server, x, k):
            c = hessian @ (x - centre)
            overload = link.overload(c, memory, Broadcast(k))
            message, memory = link.encode(key, c, memory, Broadcast(k))
            q, server = link.decode(key, message, server, Broadcast(k))
            return q, memory, server, overload

        def step(carry, k):
            x, memory, server = carry
            q, memory, server, overload = jax.vmap(
                client, in_axes=(0, 0, 0, 0, None, None)
            )(hessians, centres, memory, server, x, k)
            after = x - STEP * jnp.mean(q, axis=0)
            figures = jnp.linalg.norm(x - best), jnp.sum(overload)
            return (after, memory, server), figures

        none = jnp.zeros((CLIENTS, D))
        return jax.lax.scan(step, (jnp.zeros(D), none, none), jnp.arange(rounds))[1]

    distances, overloads = run()
    return np.asarray(distances), int(np.sum(overloads))


@pytest.mark.parametrize("bits", [5, 6, 8])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_measured_rate_is_within_the_bound_and_nothing_overloads(bits, seed):
    grid, _ = prescribed(seed, bits)
    assert grid.bits == bits
    # Down to where f32 still resolves the grid's steps.
    rounds = int(np.log(1e-4 / grid.scale) / np.log(grid.rate))
    distances, overloads = descend(seed, bits, grid.scale, grid.rate, rounds)
    assert overloads == 0
    assert rounds > 10
    bound = grid.distance * grid.rate ** np.arange(rounds)
    assert np.all(distances <= bound * (1 + 1e-5) + 1e-6)
    assert distances[-1] < 1e-4 * distances[0] or bits == 5


def test_a_grid_that_shrinks_faster_than_gradient_descent_is_left_behind():
    grid, _ = prescribed(0, 8)
    _, overloads = descend(0, 8, grid.scale, 0.3, 20)
    assert overloads > 0


def test_the_rate_solves_the_condition_and_falls_to_that_of_gradient_descent():
    rates = [prescribed(0, bits)[0].rate for bits in (5, 6, 8, 12, 16, 24)]
    sigma = (SMOOTHNESS - CONVEXITY) / (SMOOTHNESS + CONVEXITY)
    for bits, rate in zip((5, 6, 8, 12), rates):
        gain = STEP * SMOOTHNESS * D**0.5
        s = (1 + gain * (1 + rate) / (rate - sigma)) / rate
        assert s == pytest.approx(2**bits - 1)
    assert all(a > b for a, b in pairwise(rates)) and rates[0] < 1.0
    assert rates[-1] == pytest.approx(sigma, abs=1e-5)


def test_by_hand():
    # L = mu = 1, d = 1: gamma = 1, sigma = 0, so s > 1 + 2: three bits, s = 7, and
    # 7 a^2 - 2 a - 1 = 0.
    grid = zooming(1.0, 1.0, 1, distance=2.0, gradient=0.0)
    rate = (1 + 8**0.5) / 7
    scale = 2 * (1 + rate) / (rate - 1 / 7)
    assert grid == pytest.approx((3, scale, rate, 2.0))
    # A first gradient of twice that scale doubles the grid and the bound.
    wider = zooming(1.0, 1.0, 1, distance=2.0, gradient=2 * scale)
    assert wider == pytest.approx((3, 2 * scale, rate, 4.0))


def test_the_fewest_bits_may_be_more_than_a_grid_has():
    # gamma L sqrt(d) = 175.4 and 1 - sigma = 0.0198: 2^b > 17,720, which is 2^14.1.
    grid = zooming(1.0, 0.01, 7850, distance=1.0, gradient=0.1)
    assert grid.bits == 15
    with pytest.raises(ValueError, match=r"integer in 1\.\.8, got bits=15"):
        uniform(grid.bits, geometric(grid.scale, grid.rate))


@pytest.mark.parametrize("num_params", [1, 100])
def test_one_bit_never_suffices(num_params):
    with pytest.raises(ValueError, match="one bit is the radius itself.*bits=1"):
        zooming(1.0, 1.0, num_params, distance=1.0, gradient=1.0, bits=1)


@pytest.mark.parametrize(
    "options, match",
    [
        ({"bits": 4}, "bits must be 5 or more, got bits=4"),
        ({"convexity": 4.0}, "convexity=4.0 smoothness=3.0"),
        ({"convexity": 0.0}, "convexity=0.0"),
        ({"num_params": 0}, "num_params=0"),
        ({"distance": 0.0}, "distance=0.0"),
        ({"gradient": -1.0}, "gradient=-1.0"),
        ({"step": 0.7}, "step=0.7"),
        ({"step": -0.1}, "step=-0.1"),
    ],
)
def test_what_cannot_be_is_refused(options, match):
    problem = {"smoothness": 3.0, "convexity": 1.0, "num_params": D}
    problem |= {"distance": 1.0, "gradient": 1.0}
    with pytest.raises(ValueError, match=match):
        zooming(**problem | options)
