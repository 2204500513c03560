"""QUIC-FL: its constant, its cells, and no bias under one fixed rotation."""

import jax
import numpy as np
import pytest
from scipy import integrate, stats

from flq_jax.quantizers import quic_fl
from flq_jax.quantizers.quic_fl import one_bit_cells
from flq_jax.testing import Claims, check_quantizer


def least_error(reach):
    """(integral of sqrt(P (1 - P)))^2 - E[z^2], E[z^2] = 1 up to what lies beyond."""
    tail = stats.norm.sf
    area, _ = integrate.quad(
        lambda s: np.sqrt(tail(s) * (1 - tail(s))), -reach, reach, limit=200
    )
    return area**2 - 1


def of_cells(cells, reach):
    """E[value^2] - 1, with Delta^2 P (1 - P) = -low high."""
    _, low, high = (np.asarray(a, np.float64) for a in one_bit_cells(cells, reach))
    return np.mean(-low * high) - 1


def test_the_error_is_the_least_that_one_bit_allows():
    draws, quantizer = 512, quic_fl()
    x = np.random.default_rng(0).lognormal(size=1024).astype(np.float32)

    @jax.jit
    @jax.vmap
    def x_hats(seed):
        key = jax.random.key(seed)
        return quantizer.decode(key, quantizer.encode(jax.random.clone(key), x))

    off = np.float64(x_hats(np.arange(draws))) - x
    errors = np.sum(off**2, axis=1) / np.sum(np.float64(x) ** 2)
    # A rare code in an outermost cell stands for a large value: hence the spread.
    chance = 5 * float(errors.std()) / draws**0.5
    assert float(errors.mean()) == pytest.approx(of_cells(64, 4.5), abs=chance)
    assert chance < 0.4
    assert of_cells(64, 4.5) == pytest.approx(1.66, abs=0.01)
    assert of_cells(256, 4.5) == pytest.approx(least_error(4.5), rel=0.02)
    assert least_error(4.5) == pytest.approx(1.60, abs=0.01)


@pytest.mark.parametrize("cells", [1, 2, 64])
def test_the_expected_value_is_z_everywhere(cells):
    start, low, high = (np.asarray(a, np.float64) for a in one_bit_cells(cells, 3.0))
    width = (high - low) / cells
    for z in np.linspace(start[0], start[-1] + width[-1], 23):
        odds = np.clip((z - start) / width, 0, 1)
        assert np.mean(low + odds * (high - low)) == pytest.approx(z, abs=1e-5)
    assert start[0] == pytest.approx(-3.0, abs=1e-3)
    assert start[-1] + width[-1] == pytest.approx(3.0, abs=1e-3)


def test_more_cells_err_less_and_tend_to_the_limit():
    errors = [of_cells(2**k, 3.1) for k in range(7)]
    assert np.all(np.diff(errors) < 0)
    assert errors[0] == pytest.approx(3.1**2 - 1, rel=1e-3)  # no shared randomness
    assert least_error(3.1) < errors[-1] < least_error(3.1) + 0.01


def _n(d):
    return 2 ** int(np.ceil(np.log2(d)))


def test_the_contract_is_kept():
    check_quantizer(quic_fl(), Claims(True, bits=lambda d: _n(d) + 32))


@pytest.mark.parametrize("shared_bits", [0, 9])
def test_what_cannot_be_is_refused(shared_bits):
    with pytest.raises(ValueError, match=f"quic_fl.*bits={shared_bits}"):
        quic_fl(shared_bits)
