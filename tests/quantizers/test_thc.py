"""THC: sums of codes decode to means; tables are optimal; the bias is the clipping."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from more import only
from scipy import integrate, stats

from flq_jax.quantizers import homomorphic_thc, thc
from flq_jax.quantizers.thc import best_table
from flq_jax.testing import Claims, check_quantizer


def test_the_sum_of_integers_decodes_to_the_mean():
    clients, d = 5, 100
    xs = np.random.default_rng(0).standard_normal((clients, d)).astype(np.float32)
    shared = float(np.linalg.norm(xs, axis=1).max())  # the range, agreed upon
    link = homomorphic_thc(norm=shared)

    @jax.jit
    def exchanged(xs):
        keys = jax.vmap(jax.random.key)(np.arange(clients))
        messages = jax.vmap(link.quantizer.encode)(jax.random.clone(keys), xs)
        one_by_one = jax.vmap(link.quantizer.decode)(keys, messages)
        total = jnp.sum(jax.vmap(link.integers)(messages), axis=0)
        return one_by_one, total, link.mean(total, clients, d)

    one_by_one, total, mean = exchanged(xs)
    assert jnp.issubdtype(total.dtype, jnp.integer) and np.max(total) <= 255
    np.testing.assert_allclose(mean, np.mean(one_by_one, axis=0), atol=1e-5)


def test_messages_are_right_on_average_up_to_the_clipping():
    d, draws = 256, 2000
    x = np.random.default_rng(0).standard_normal(d).astype(np.float32)
    quantizer = thc(outside=1e-6)  # hardly anything is clipped

    @jax.jit
    @jax.vmap
    def roundtrip(seed):
        key = jax.random.key(seed)
        return quantizer.decode(key, quantizer.encode(jax.random.clone(key), x))

    x_hats = np.asarray(roundtrip(np.arange(draws)))
    spread = np.std(x_hats, axis=0)
    assert np.all(np.abs(np.mean(x_hats, 0) - x) <= 5 * spread / draws**0.5 + 1e-5)


def test_a_share_that_rounds_to_nothing_clips_nothing(key):
    # The deviation that a Gaussian exceeds with odds 1e-16 is 8.3; steps of the table
    # are then at most 2 * 8.3 ||x|| / sqrt(n) wide.
    x = np.float32([1.0, -0.5, 0.25, 0.0])
    quantizer = thc(1, 1, outside=1e-16)
    x_hat = quantizer.decode(key, quantizer.encode(jax.random.clone(key), x))
    assert np.linalg.norm(x_hat - x) <= 2 * 8.3 * np.linalg.norm(x)


@pytest.mark.parametrize("count, granularity, reach", [(3, 8, 2.0), (4, 9, 3.0)])
def test_the_table_is_the_best_of_all(count, granularity, reach):
    def variance(table):
        def density(y):
            return stats.norm.pdf(reach * (2 * y / granularity - 1))

        def of_gap(a, b):
            return integrate.quad(lambda y: (b - y) * (y - a) * density(y), a, b)[0]

        return sum(of_gap(a, b) for a, b in itertools.pairwise(table))

    inner = itertools.combinations(range(1, granularity), count - 2)
    least = min(variance((0, *points, granularity)) for points in inner)
    table = best_table(count, granularity, reach)
    assert variance(table) == pytest.approx(least, rel=1e-3)
    assert table[0] == 0 and table[-1] == granularity and len(table) == count


def test_a_longer_vector_is_an_overload():
    quantizer = thc(norm=2.0)
    assert not quantizer.overload(np.float32([2.0, 0.0]))
    assert quantizer.overload(np.float32([2.0, 0.5]))
    assert not thc().overload(np.float32([1e9, 0.5]))


def _n(d):
    return 2 ** int(np.ceil(np.log2(d)))


QUANTIZERS = {
    "thc": (thc(), Claims(bits=lambda d: 4 * _n(d) + 32)),
    "thc-unclipped": (thc(4, 15, outside=1e-9), Claims(bits=lambda d: 4 * _n(d) + 32)),
    "thc1": (thc(1, 1), Claims(bits=lambda d: _n(d) + 32)),
    "thc-norm": (thc(norm=4.0), Claims(bits=lambda d: 4 * _n(d), zero=False)),
}


@pytest.mark.parametrize("name", only({"thc", "thc-norm"}, QUANTIZERS))
def test_the_contract_is_kept(name):
    check_quantizer(*QUANTIZERS[name])


@pytest.mark.parametrize(
    "options, match",
    [
        ({"bits": 9}, "bits=9"),
        ({"granularity": 14}, "granularity=14"),
        ({"granularity": 30.0}, "must be an integer .* granularity=30.0"),
        ({"granularity": 256}, "granularity=256"),
        ({"outside": 0.0}, "outside=0.0"),
        ({"norm": 0.0}, "norm=0.0"),
        ({"norm": float("inf")}, "norm=inf"),
    ],
)
def test_what_cannot_be_is_refused(options, match):
    with pytest.raises(ValueError, match=match):
        thc(**options)
