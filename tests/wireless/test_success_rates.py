"""RS, RR and PF among Poisson interferers, against closed forms (Yang et al. 2020).

With V(g, a) = g^(2/a) int_{g^(-2/a)}^inf du / (1 + u^(a/2)), a link under Rayleigh
fading exceeds the threshold g with probability E[exp(-g / S)] = 1 / (1 + V(g, a)), S
its ratio before its own fading.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

from flq_jax.wireless import channel, scheduling

M, TRIALS, EXPONENT = 6, 6000, 4.0
THRESHOLDS = (0.1, 1.0, 10.0)


def laplace(threshold, exponent=EXPONENT):
    """E[exp(-threshold / S)] = 1 / (1 + V)."""
    low = threshold ** (-2 / exponent)
    tail, _ = scipy.integrate.quad(lambda u: 1 / (1 + u ** (exponent / 2)), low, np.inf)
    return 1 / (1 + threshold ** (2 / exponent) * tail)


quick_jit = functools.partial(
    jax.jit, compiler_options={"xla_backend_optimization_level": 0}
)


@pytest.fixture(scope="module")
def links():
    draw = quick_jit(lambda key: channel.poisson_sir(key, (TRIALS, M), EXPONENT, 100))
    return draw(jax.random.key(7))


@functools.cache
def compiled(constructor, num):
    """The share of all clients that are selected and exceed the threshold."""
    scheduler = constructor(num)

    def trial(key, k, mean, fading, threshold):
        zeros = jnp.zeros(M)
        candidates = scheduling.Candidates(
            round_index=k,
            eligible=jnp.ones(M, bool),
            snr=mean * fading,
            mean_snr=mean,
            age=zeros.astype(jnp.int32),
            news=zeros,
            num_bits=zeros.astype(jnp.int32),
            energy_j=zeros,
            battery_j=zeros,
        )
        selected = scheduler(key, candidates)
        return jnp.sum(selected & (mean * fading > threshold)) / M

    return quick_jit(jax.vmap(trial, in_axes=(0, 0, 0, 0, None)))


def success_rate(constructor, num, links, threshold):
    """Mean over trials of (successful clients) / M, and its standard error."""
    keys = jax.random.split(jax.random.key(8), TRIALS)
    share = compiled(constructor, num)(keys, jnp.arange(TRIALS), *links, threshold)
    share = np.asarray(share)
    return share.mean(), share.std() / np.sqrt(TRIALS)


def proportional_fair_rate(num, threshold):
    """(1/M) sum_{j <= num} P(S h_(j) > threshold), h_(j) the j-th largest of M Exp(1).

    P(h_(j) > x) = sum_{l >= j} C(M, l) s^l (1 - s)^(M - l) is a polynomial in s = e^-x,
    and the mean of s^i over S is laplace(i threshold).
    """
    total = 0.0
    for j in range(1, num + 1):
        for n in range(j, M + 1):
            for i in range(M - n + 1):
                sign = math.comb(M, n) * math.comb(M - n, i) * (-1) ** i
                power = (n + i) * threshold
                total += sign * laplace(power)
    return total / M


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_interference_has_its_laplace_transform(links, threshold):
    success = np.exp(-threshold / np.asarray(links[0]))
    error = success.std() / np.sqrt(success.size)
    # Beyond the 101 nearest only the mean of the interference is drawn: 1e-3 is ample.
    assert abs(success.mean() - laplace(threshold)) <= 5 * error + 1e-3


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("num", [1, 3])
def test_random_scheduling(links, num, threshold):
    rate, error = success_rate(scheduling.random, num, links, threshold)
    assert abs(rate - num / M * laplace(threshold)) <= 5 * error + 1e-3


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_round_robin(links, threshold):
    """1 / (1 + V) in a client's turn, 0 otherwise: num / M of it on average."""
    rate, error = success_rate(scheduling.round_robin, 2, links, threshold)
    assert abs(rate - 2 / M * laplace(threshold)) <= 5 * error + 1e-3


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("num", [1, 3])
def test_proportional_fair(links, num, threshold):
    rate, error = success_rate(scheduling.proportional_fair, num, links, threshold)
    assert abs(rate - proportional_fair_rate(num, threshold)) <= 5 * error + 1e-3


def test_one_block_proportional_fair_is_yangs_closed_form():
    """sum_{i <= M} C(M, i) (-1)^(i+1) / (1 + V(i g)) / M: the best of M."""
    for threshold in THRESHOLDS:
        yang = sum(
            math.comb(M, i) * (-1) ** (i + 1) * laplace(i * threshold)
            for i in range(1, M + 1)
        )
        np.testing.assert_allclose(proportional_fair_rate(1, threshold), yang / M)


def test_fairness_pays_most_at_high_thresholds(links):
    gain = [
        success_rate(scheduling.proportional_fair, 1, links, g)[0] * M / laplace(g)
        for g in THRESHOLDS
    ]
    assert 1.0 < gain[0] < gain[1] < gain[2]
