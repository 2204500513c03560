"""DRIVE, DRIVE+ and EDEN: the published constants, by both scales and at any rate."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from more import more, only

from flq_jax.quantizers import drive, drive_plus, eden
from flq_jax.testing import Claims, check_quantizer

# The mean squared error of 2**b Lloyd-Max levels on a unit Gaussian (Max 1960).
ERROR = {0: 1.0, 1: 1 - 2 / np.pi, 2: 0.1174818, 3: 0.03454776, 4: 0.009501008}
D = 1023  # a padded length
DRAWS = 256
MAKES = {"drive": drive, "drive_plus": drive_plus} | {
    bits: functools.partial(eden, bits) for bits in (0.25, 1, 1.5, 2, 3, 4)
}


def lognormal(*size):
    return np.random.default_rng(0).lognormal(size=size).astype(np.float32)


@functools.partial(jax.jit, static_argnums=0)
def compiled_estimates(name, seeds, xs):
    def one(seed, unbiased, x):
        key, quantizer = jax.random.key(seed), MAKES[name](unbiased)
        message = quantizer.encode(jax.random.clone(key), x)
        return quantizer.decode(key, message)

    def both(seed, x):
        return [one(seed, unbiased, x) for unbiased in (True, False)]

    return jax.vmap(both)(seeds, xs)


def estimates(name, xs):
    """Of each row, by the unbiased scale and by the other, f64[2, n, d]."""
    return np.float64(compiled_estimates(name, np.arange(len(xs)), xs))


def relative_errors(name):
    """The mean of ||x - x_hat||^2 / ||x||^2 by the unbiased scale and by the other."""
    xs = lognormal(DRAWS, D)
    squares = np.sum((xs - estimates(name, xs)) ** 2, axis=-1)
    return np.mean(squares / np.sum(np.float64(xs) ** 2, axis=-1), axis=-1)


@pytest.mark.parametrize("name", ["drive", "drive_plus", more(1)])
def test_one_bit_errs_by_the_published_constants(name):
    errors = relative_errors(name)
    np.testing.assert_allclose(errors, [np.pi / 2 - 1, ERROR[1]], rtol=0.02)


@pytest.mark.parametrize("bits", only({0.25, 3}, [0.25, 1.5, 2, 3, 4]))
def test_eden_errs_by_its_table_at_any_rate(bits):
    low = int(np.ceil(bits)) - 1
    share = bits - low
    error = (1 - share) * ERROR[low] + share * ERROR[low + 1]
    errors = relative_errors(bits)
    np.testing.assert_allclose(errors, [error / (1 - error), error], rtol=0.04)
    assert eden(bits).layout(4096).num_bits == round(bits * 4096) + 32


@pytest.mark.parametrize(
    "bits, d, wanted", [(0.1, 3, 1), (1.001, 4, 4 + 1), (2.5, 1, 2 + 1), (1.5, 5, 12)]
)
def test_one_entry_at_least_has_the_wider_code(bits, d, wanted):
    assert eden(bits).layout(d).code_bits == wanted


@pytest.mark.parametrize("name", ["drive", "drive_plus", 0.25, 2])
def test_the_mean_of_many_estimates_errs_less_by_their_number(name):
    x = lognormal(D)
    x_hats, _ = estimates(name, np.tile(x, (DRAWS, 1)))
    single = np.mean(np.sum((x_hats - x) ** 2, axis=1))
    mean = np.sum((np.mean(x_hats, axis=0) - x) ** 2)
    assert mean <= 1.3 * single / DRAWS


@pytest.mark.parametrize("name", ["drive", "drive_plus", 1.5])
def test_the_unbiased_scale_keeps_the_length_along_x(name):
    xs = np.random.default_rng(1).standard_normal((DRAWS, D), np.float32)
    kept, shrunk = np.sum(estimates(name, xs) * xs, axis=-1)
    squares = np.sum(np.float64(xs) ** 2, axis=-1)
    np.testing.assert_allclose(kept, squares, rtol=1e-4)
    # Else the residual is orthogonal to the estimate in the padded space.
    assert np.all(shrunk < 0.95 * squares)


def _n(d):
    return 2 ** int(np.ceil(np.log2(d)))


QUANTIZERS = {
    "drive": (drive(), Claims(bits=lambda d: _n(d) + 32)),
    "drive-nearest": (drive(False), Claims(False, None, lambda x: jnp.vdot(x, x), lambda d: _n(d) + 32)),
    "drive_plus": (drive_plus(), Claims(bits=lambda d: _n(d) + 64)),
    "eden0.25": (eden(0.25), Claims(bits=lambda d: max(1, round(_n(d) / 4)) + 32)),
    "eden1.5": (eden(1.5), Claims(bits=lambda d: max(1, round(_n(d) / 2)) + 32 + _n(d))),
    "eden4": (eden(4), Claims(bits=lambda d: 4 * _n(d) + 32)),
    "eden8": (eden(8, False), Claims(False, None, lambda x: 0.1 * jnp.vdot(x, x), lambda d: 8 * _n(d) + 32)),
}  # fmt: skip


@pytest.mark.parametrize("name", only({"drive", "eden1.5"}, QUANTIZERS))
def test_the_contract_is_kept(name):
    check_quantizer(*QUANTIZERS[name])


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: eden(0), r"number in \(0, 8\], got bits=0"),
        (lambda: eden(8.5), "bits=8.5"),
        (lambda: eden(float("nan")), "bits=nan"),
        (lambda: eden(True), "bits=True"),
    ],
)
def test_what_cannot_be_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
