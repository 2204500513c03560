"""UVeQFed: nearest points, second moments, a dither error that knows nothing of x."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from more import more, only

from flq_jax.quantizers import uveqfed
from flq_jax.quantizers.lattices import LATTICES
from flq_jax.testing import Claims, check_quantizer

# Normalised second moments of the cells (Conway and Sloane 1982).
MOMENT = {"scalar": 1 / 12, "hexagonal": 0.0801875, "d3": 0.0787451, "e8": 0.0716821}


nearest = jax.jit(lambda name, x: LATTICES[name].nearest(x), static_argnums=0)


def points(name):
    """f32[500, n], some cells around the origin."""
    size = 500, len(LATTICES[name].basis)
    return 3 * np.random.default_rng(0).standard_normal(size).astype(np.float32)


@pytest.mark.parametrize("name", ["scalar", "hexagonal", "d3"])
def test_no_point_is_nearer(name):
    lattice = LATTICES[name]
    size = len(lattice.basis)
    x = np.asarray(points(name), np.float64)
    around = np.array(list(itertools.product(range(-3, 4), repeat=size)))
    start = np.round(x @ np.linalg.inv(lattice.basis))
    there = (start[:, None] + around[None]) @ lattice.basis
    least = np.min(np.linalg.norm(x[:, None] - there, axis=-1), axis=1)
    came = np.asarray(nearest(name, points(name)))
    np.testing.assert_allclose(np.linalg.norm(x - came, axis=1), least, atol=1e-5)
    assert np.max(least) <= lattice.covering * (1 + 1e-6)


@pytest.mark.parametrize("name", LATTICES)
def test_points_are_the_lattices_own_with_cells_of_volume_1(name):
    lattice = LATTICES[name]
    assert abs(np.linalg.det(lattice.basis)) == pytest.approx(1.0)
    x = points(name)
    point = np.asarray(nearest(name, x))
    coordinates = point @ np.linalg.inv(lattice.basis)
    np.testing.assert_allclose(coordinates, np.round(coordinates), atol=1e-4)
    np.testing.assert_allclose(nearest(name, point), point, atol=1e-5)
    assert np.linalg.norm(x - point, axis=1).max() <= lattice.covering * (1 + 1e-6)


@functools.partial(jax.jit, static_argnums=0)
def errors_by(name, seeds, x):
    quantizer = uveqfed(name, 6)

    def one(seed):
        key = jax.random.key(seed)
        message = quantizer.encode(jax.random.clone(key), x)
        return (x - quantizer.decode(key, message)) / message.side

    return jax.vmap(one)(seeds)


def errors(name, x, seeds=range(400)):
    """(x - x_hat) / s, f32[seeds, d], 400 at a time."""
    rows = np.reshape(seeds, (-1, 400))
    return np.concatenate([errors_by(name, row, x) for row in rows])


@pytest.mark.parametrize("name", only({"hexagonal", "e8"}, LATTICES))
def test_the_error_has_the_cells_second_moment_whatever_x_is(name):
    normal = np.random.default_rng(0).standard_normal(240)
    for start, x in ((0, normal), (400, np.full(240, 0.3))):
        error = errors(name, np.float32(x), range(start, start + 400))
        squares = np.mean(error**2, axis=1)
        chance = 5 * squares.std() / np.sqrt(len(squares))
        assert squares.mean() == pytest.approx(MOMENT[name], abs=chance)
        assert chance < 0.002


@pytest.mark.parametrize("name", LATTICES)
def test_the_error_is_uncorrelated_with_the_input(name):
    x = np.linspace(-1.0, 1.0, 240, dtype=np.float32)
    error = errors(name, x)
    along = error @ x
    assert abs(along.mean()) <= 5 * along.std() / np.sqrt(400)
    means = error.mean(axis=0)  # of each coordinate, over the dither alone
    assert np.all(np.abs(means) <= 5.5 * error.std(axis=0) / np.sqrt(400))


def test_hexagons_gain_their_share_over_integers():
    one, other = (
        np.mean(errors(name, np.ones(240, np.float32), range(800)) ** 2)
        for name in ("hexagonal", "scalar")
    )
    assert one / other == pytest.approx(MOMENT["hexagonal"] * 12, rel=0.015)


@functools.partial(jax.jit, static_argnums=0)
def within_a_range(name, key, calm, spike):
    """Whether each is an overload, and the step and the estimate of `spike`."""
    quantizer = uveqfed(name, 4, reach=2.0)
    told = uveqfed(name, 4, reach=4.0).overload(calm), quantizer.overload(spike)
    message = quantizer.encode(jax.random.clone(key), spike)
    return *told, message.side[0], quantizer.decode(key, message)


@pytest.mark.parametrize("name", only({"hexagonal", "e8"}, LATTICES))
def test_overload_is_told_and_shrinks_the_block(name, key):
    calm = np.float32(np.where(np.arange(240) % 2 == 0, 0.3, -0.3))
    spike = calm.copy()
    spike[7] = 100.0
    calm_is, spike_is, step, x_hat = map(
        np.asarray, within_a_range(name, key, calm, spike)
    )
    assert not calm_is and spike_is
    lattice = LATTICES[name]
    most = (16 * lattice.packing + lattice.covering) * step
    assert 0.5 * step < x_hat[7] <= most < 100.0


def block_among_calm_ones(name, most=2.6):
    """Vectors f32[200, 90] of +-1, inside, but for one block about where the range ends."""
    rng, size = np.random.default_rng(0), len(LATTICES[name].basis)
    x = rng.choice(np.float32([-1, 1]), (200, 90))
    block = rng.standard_normal((200, size))
    block /= np.linalg.norm(block, axis=1, keepdims=True)
    x[:, :size] = rng.uniform(1.4, most, (200, 1)) * block
    return x


@functools.partial(jax.jit, static_argnums=0)
def of_many_dithers(name, xs, seeds):
    """Who is an overload, and whose first block is more than a cell off for some seed."""
    quantizer, size = uveqfed(name, 4, reach=2.0), len(LATTICES[name].basis)

    def strays(seed, x):
        key = jax.random.key(seed)
        message = quantizer.encode(jax.random.clone(key), x)
        error = (x - quantizer.decode(key, message))[:size]
        most = LATTICES[name].covering * message.side[0] * (1 + 1e-4)
        return jnp.linalg.norm(error) > most

    def found(x):
        return jnp.any(jax.vmap(strays, in_axes=(0, None))(seeds, x))

    return jax.vmap(quantizer.overload)(xs), jax.lax.map(found, xs)


@pytest.mark.usefixtures("optimised")  # it runs long
@pytest.mark.parametrize("name", ["scalar", "hexagonal", more("d3")])
def test_an_overload_is_one_and_what_is_none_is_none(name):
    xs = block_among_calm_ones(name)
    told, found = map(np.asarray, of_many_dithers(name, xs, np.arange(2000)))
    assert not np.any(found & ~told)
    assert 20 <= told.sum() <= 180
    # What only few dithers take outside may be missed by all of these.
    assert np.sum(told & ~found) <= 0.05 * told.sum()


@pytest.mark.parametrize("name", [more("e8")])
def test_no_overload_is_missed_where_points_are_not_looked_at_one_by_one(name):
    xs = block_among_calm_ones(name, most=4.5)[:100]
    told, found = map(np.asarray, of_many_dithers(name, xs, np.arange(200)))
    assert not np.any(found & ~told)
    assert found.sum() >= 20


def _second_moment(name, x, bits=4):
    """An upper bound of E||x - x_hat||^2, by the step that the docstring has."""
    return x.size / 12 * _step(name, x, bits) ** 2


def _step(name, x, bits):
    lattice = LATTICES[name]
    size = len(lattice.basis)
    whole = x.size // size * size
    needs = [0.0]
    for shape, part in ((lattice, x[:whole]), (LATTICES["scalar"], x[whole:])):
        if part.size:
            norms = np.linalg.norm(part.reshape(-1, len(shape.basis)), axis=1)
            room = 2**bits * shape.packing - 2 * shape.covering
            needs.append(float(np.max(norms)) / room)
    return max(needs)


QUANTIZERS = {
    name: (
        uveqfed(name, 4),
        Claims(
            True,
            lambda x, n=name: _step(n, x, 4) * max(LATTICES[n].covering, 0.5),
            lambda x, n=name: _second_moment(n, x),
            lambda d: 4 * d + 32,
        ),
    )
    for name in LATTICES
}


@pytest.mark.parametrize("name", only({"e8"}, QUANTIZERS))
def test_the_contract_is_kept(name):
    check_quantizer(*QUANTIZERS[name])


@pytest.mark.more
def test_a_range_in_root_mean_squares_keeps_the_contract():
    check_quantizer(uveqfed("e8", 2, reach=2.4), Claims(bits=lambda d: 2 * d + 32))


@pytest.mark.parametrize(
    "options, match",
    [
        ({"lattice": "leech"}, "one of scalar, hexagonal, d3, e8, got lattice='leech'"),
        ({"bits": 1}, "bits must be an integer in 2..8, got bits=1"),
        ({"reach": 0.0}, "reach=0.0"),
        ({"reach": float("inf")}, "reach=inf"),
    ],
)
def test_what_cannot_be_is_refused(options, match):
    with pytest.raises(ValueError, match=match):
        uveqfed(**options)
