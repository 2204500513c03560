"""DRIVE, DRIVE+ and EDEN: the published constants, by both scales and at any rate."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.quantizers import drive, drive_plus, eden
from flq_jax.testing import Claims, check_quantizer

# The mean squared error of 2**b Lloyd-Max levels on a unit Gaussian (Max 1960).
ERROR = {0: 1.0, 1: 1 - 2 / np.pi, 2: 0.1174818, 3: 0.03454776, 4: 0.009501008}
D = 4096


def relative_error(quantizer, key, d=D, draws=2):
    """The mean of ||x - x_hat||^2 / ||x||^2 on lognormal vectors, and the estimates."""

    def one(key):
        key, key_x = jax.random.split(key)
        x = jnp.exp(jax.random.normal(key_x, (d,)))
        x_hat = quantizer.decode(jax.random.clone(key), quantizer.encode(key, x))
        return jnp.vdot(x - x_hat, x - x_hat) / jnp.vdot(x, x)

    return jnp.mean(jax.jit(jax.vmap(one))(jax.random.split(key, draws)))


@pytest.mark.parametrize("make", [drive, drive_plus, lambda u: eden(1, u)])
@pytest.mark.parametrize("unbiased, error", [(True, np.pi / 2 - 1), (False, ERROR[1])])
def test_one_bit_errs_by_the_published_constants(make, unbiased, error, key):
    np.testing.assert_allclose(relative_error(make(unbiased), key), error, rtol=0.02)


@pytest.mark.parametrize("bits", [0.25, 1.5, 2, 3, 4])
@pytest.mark.parametrize("unbiased", [True, False])
def test_eden_errs_by_its_table_at_any_rate(bits, unbiased, key):
    low = int(np.ceil(bits)) - 1
    share = bits - low
    error = (1 - share) * ERROR[low] + share * ERROR[low + 1]
    expected = error / (1 - error) if unbiased else error
    came = relative_error(eden(bits, unbiased), key)
    np.testing.assert_allclose(came, expected, rtol=0.04)
    assert eden(bits).layout(D).num_bits == round(bits * D) + 32


@pytest.mark.parametrize(
    "make", [drive, drive_plus, lambda: eden(0.5), lambda: eden(2)]
)
def test_the_mean_of_many_estimates_errs_less_by_their_number(make, key):
    quantizer, draws, d = make(), 256, 1024
    x = jnp.exp(jax.random.normal(jax.random.fold_in(key, 1), (d,)))

    def one(key):
        return quantizer.decode(jax.random.clone(key), quantizer.encode(key, x))

    x_hats = jax.jit(jax.vmap(one))(jax.random.split(key, draws))
    single = jnp.mean(jnp.sum((x_hats - x[None]) ** 2, axis=1))
    mean = jnp.sum((jnp.mean(x_hats, axis=0) - x) ** 2)
    assert mean <= 1.3 * single / draws


@pytest.mark.parametrize("unbiased", [True, False])
def test_the_unbiased_scale_keeps_the_length_along_x(unbiased, key):
    x = jax.random.normal(jax.random.fold_in(key, 1), (500,))
    for quantizer in (drive(unbiased), drive_plus(unbiased), eden(1.5, unbiased)):
        key, key_now = jax.random.split(key)
        message = quantizer.encode(key_now, x)
        x_hat = quantizer.decode(jax.random.clone(key_now), message)
        if unbiased:
            np.testing.assert_allclose(jnp.vdot(x_hat, x), jnp.vdot(x, x), rtol=1e-4)
        else:  # the residual is orthogonal to the estimate in the padded space
            assert jnp.vdot(x_hat, x) < 0.95 * jnp.vdot(x, x)


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
