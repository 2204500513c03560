"""DRIVE, DRIVE+ and EDEN: the published constants, by both scales and at any rate."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.quantizers import drive, drive_plus, eden
from flq_jax.testing import Claims, check_quantizer

# The mean squared error of 2**b Lloyd-Max levels on a unit Gaussian (Max 1960).
ERROR = {0: 1.0, 1: 1 - 2 / np.pi, 2: 0.1174818, 3: 0.03454776, 4: 0.009501008}
D = 4096


@functools.partial(jax.jit, static_argnums=1)
def lognormal(keys, d):
    """A vector for each key, and a key for its message."""

    def one(key):
        key, key_x = jax.random.split(key)
        return key, jnp.exp(jax.random.normal(key_x, (d,)))

    return jax.vmap(one)(keys)


def roundtrip(quantizer, key, x):
    message = quantizer.encode(jax.random.clone(key), x)
    return quantizer.decode(jax.random.clone(key), message)


def relative_errors(make, key, d=D, draws=2):
    """The mean of ||x - x_hat||^2 / ||x||^2 by the unbiased scale and by the other."""

    def errors(key, x):
        both = [x - roundtrip(make(unbiased), key, x) for unbiased in (True, False)]
        return [jnp.vdot(error, error) / jnp.vdot(x, x) for error in both]

    drawn = lognormal(jax.random.split(key, draws), d)
    return np.mean(jax.jit(jax.vmap(errors))(*drawn), axis=1)


@pytest.mark.parametrize("make", [drive, drive_plus, functools.partial(eden, 1)])
def test_one_bit_errs_by_the_published_constants(make, key):
    errors = relative_errors(make, key)
    np.testing.assert_allclose(errors, [np.pi / 2 - 1, ERROR[1]], rtol=0.02)


@pytest.mark.parametrize("bits", [0.25, 1.5, 2, 3, 4])
def test_eden_errs_by_its_table_at_any_rate(bits, key):
    low = int(np.ceil(bits)) - 1
    share = bits - low
    error = (1 - share) * ERROR[low] + share * ERROR[low + 1]
    errors = relative_errors(functools.partial(eden, bits), key)
    np.testing.assert_allclose(errors, [error / (1 - error), error], rtol=0.04)
    assert eden(bits).layout(D).num_bits == round(bits * D) + 32


@pytest.mark.parametrize(
    "make", [drive, drive_plus, lambda: eden(0.5), lambda: eden(2)]
)
def test_the_mean_of_many_estimates_errs_less_by_their_number(make, key):
    draws, x = 256, np.random.default_rng(0).lognormal(size=1024).astype(np.float32)
    many = jax.jit(jax.vmap(functools.partial(roundtrip, make()), (0, None)))
    x_hats = np.asarray(many(jax.random.split(key, draws), x))
    single = np.mean(np.sum((x_hats - x) ** 2, axis=1))
    mean = np.sum((np.mean(x_hats, axis=0) - x) ** 2)
    assert mean <= 1.3 * single / draws


def test_the_unbiased_scale_keeps_the_length_along_x(key):
    x = np.random.default_rng(1).standard_normal(500).astype(np.float32)
    makes = drive, drive_plus, functools.partial(eden, 1.5)

    @functools.partial(jax.jit, static_argnums=2)
    def along(key, x, unbiased):
        return [jnp.vdot(roundtrip(make(unbiased), key, x), x) for make in makes]

    kept, shrunk = (along(key, x, unbiased) for unbiased in (True, False))
    np.testing.assert_allclose(kept, np.vdot(x, x), rtol=1e-4)
    # Else the residual is orthogonal to the estimate in the padded space.
    assert max(shrunk) < 0.95 * np.vdot(x, x)


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


@pytest.mark.parametrize("name", QUANTIZERS)
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
