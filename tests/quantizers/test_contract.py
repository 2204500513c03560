"""Every quantizer of ours keeps what it claims: one line each."""

import numpy as np
import pytest
from more import only

from flq_jax.quantizers import (
    alq,
    bucketed,
    codebook,
    fixed_point,
    geometric,
    identity,
    in_parts,
    lloyd_max,
    masked_noise,
    natural,
    noisy_sign,
    nuqsgd,
    projected,
    rand_k,
    segmented,
    sign,
    stochastic,
    tanh_grid,
    terngrad,
    top_k,
    two_means,
    twos_complement,
    uniform,
    zero_one,
)
from flq_jax.testing import Claims, check_quantizer


def top(x):
    return np.max(np.abs(x))


def squared(x):
    return np.sum(np.square(x))


def of_sign(x):
    """(1 - delta) ||x||^2 with delta = ||x||_1^2 / (d ||x||^2)."""
    return squared(x) - np.sum(np.abs(x)) ** 2 / x.size


def of_levels(x):
    """Least squared error is at most that of one level, the mean."""
    return squared(x - np.mean(x))


def of_qsgd(x, s):
    return min(x.size / s**2, x.size**0.5 / s) * squared(x)


R = 4.0  # a prescribed radius
QUANTIZERS = {
    "identity": (identity(), Claims(True, lambda x: 0.0, lambda x: 0.0, lambda d: 32 * d)),
    "sign": (sign(), Claims(False, lambda x: top(x) + np.mean(np.abs(x)), of_sign, lambda d: d + 32)),
    "plain-sign": (sign(2.0), Claims(False, lambda x: top(x) + 2.0, bits=lambda d: d, zero=False)),
    "tanh2": (tanh_grid(2), Claims(bits=lambda d: 2 * d, zero=False)),
    "tanh8": (tanh_grid(8), Claims(bits=lambda d: 8 * d, zero=False)),
    **{f"uniform{b}": (uniform(b), Claims(False, lambda x, b=b: top(x) / (2**b - 1), bits=lambda d, b=b: b * d + 32)) for b in (1, 2, 3, 5, 8)},
    **{f"prescribed{b}": (uniform(b, geometric(R, 0.5)), Claims(False, lambda x, b=b: R / (2**b - 1), bits=lambda d, b=b: b * d, zero=False)) for b in (2, 8)},
    "stochastic1": (stochastic(1), Claims(True, np.linalg.norm, lambda x: of_qsgd(x, 1), lambda d: 2 * d + 32)),
    "stochastic3": (stochastic(3), Claims(True, lambda x: np.linalg.norm(x) / 3, lambda x: of_qsgd(x, 3), lambda d: 3 * d + 32)),
    "stochastic127": (stochastic(127), Claims(True, lambda x: np.linalg.norm(x) / 127, lambda x: of_qsgd(x, 127), lambda d: 8 * d + 32)),
    "stochastic1-max": (stochastic(1, "max"), Claims(True, top, bits=lambda d: 2 * d + 32)),
    "stochastic7-max": (stochastic(7, "max"), Claims(True, lambda x: top(x) / 7, bits=lambda d: 4 * d + 32)),
    "lloyd-max2": (lloyd_max(2), Claims(False, lambda x: np.ptp(x), of_levels, lambda d: d + 64)),
    "lloyd-max5": (lloyd_max(5), Claims(False, lambda x: np.ptp(x), of_levels, lambda d: 3 * d + 160)),
    "lloyd-gaussian16": (lloyd_max(16, "gaussian"), Claims(False, top, squared, lambda d: 4 * d + 32)),
    "lloyd-laplace3": (lloyd_max(3, "laplace"), Claims(bits=lambda d: 2 * d + 32)),
    "codebook": (codebook((-1.0, 0.0, 2.0)), Claims(bits=lambda d: 2 * d + 32)),
    "qsgd-buckets": (bucketed(stochastic(3, "max"), 8), Claims(True, lambda x: top(x) / 3, bits=lambda d: 3 * d + 32 * -(-d // 8))),
    "fifths": (in_parts(stochastic(3, "max"), 5), Claims(True, lambda x: top(x) / 3, bits=lambda d: 3 * d + 32 * -(-d // -(-d // 5)))),
    "terngrad": (terngrad(float("inf")), Claims(True, top, lambda x: np.sum(np.abs(x)) * top(x) - squared(x), lambda d: 2 * d + 32)),
    "terngrad-clipped": (terngrad(), Claims(bits=lambda d: 2 * d + 32)),
    "natural": (natural(), Claims(True, top, lambda x: squared(x) / 8, lambda d: 9 * d)),
    **{f"twos-complement{b}": (twos_complement(b), Claims(False, lambda x, b=b: max(-x.min() / 2 ** (b - 1), x.max() / (2 ** (b - 1) - 1)) / 2, bits=lambda d, b=b: b * d + 32)) for b in (2, 5, 8)},
    "two-means": (two_means(), Claims(False, lambda x: np.ptp(x), squared, lambda d: d + 64)),
    "nuqsgd4": (nuqsgd(4), Claims(True, np.linalg.norm, bits=lambda d: 4 * d + 32)),
    "nuqsgd3-max": (nuqsgd(3, "max"), Claims(True, lambda x: top(x) / 2, bits=lambda d: 3 * d + 32)),
    "alq2": (alq(2), Claims(True, np.linalg.norm, bits=lambda d: 2 * d + 32)),
    "alq3": (alq(3, "max"), Claims(True, top, bits=lambda d: 3 * d + 96)),
    "fixed8": (fixed_point(8, 4), Claims(True, lambda x: 1 / 16, lambda x: x.size / 4 / 256, lambda d: 8 * d)),
    "noisy-sign": (noisy_sign(4.0), Claims(True, lambda x: top(x) + 4.0, lambda x: 16 * x.size - squared(x), lambda d: d, zero=False)),
    "noisy-sign-normal": (noisy_sign(4.0, noise="normal"), Claims(bits=lambda d: d, zero=False)),
    "zero-one": (zero_one(), Claims(False, lambda x: top(x) + 1, bits=lambda d: d)),
    "masked-noise": (masked_noise(4.0), Claims(False, lambda x: top(x) + 4.0, bits=lambda d: d, zero=False)),
    "masked-noise-unsigned": (masked_noise(4.0, signed=False), Claims(False, lambda x: top(x) + 4.0, bits=lambda d: d)),
}  # fmt: skip


def test_sparse_messages_keep_the_contract_too():
    largest = Claims(
        False, top, lambda x: (1 - 5 / 37) * squared(x), lambda d: 5 * (6 + 32)
    )
    check_quantizer(top_k(5, 37), largest, sizes=[37])
    drawn = Claims(True, None, lambda x: (37 / 5 - 1) * squared(x), lambda d: 5 * 32)
    check_quantizer(rand_k(5, 37), drawn, sizes=[37])
    quantized = Claims(False, top, squared, lambda d: 5 * (6 + 3) + 32)
    check_quantizer(top_k(5, 37, values=uniform(3)), quantized, sizes=[37])
    scalars = Claims(True, None, lambda x: 38 / 4 * squared(x), lambda d: 4 * 32)
    check_quantizer(projected(4, 37), scalars, sizes=[37])
    check_quantizer(top_k(1, 1), Claims(True, lambda x: 0.0), sizes=[1])


@pytest.mark.parametrize(
    "name", only({*QUANTIZERS} - {"lloyd-max5", "alq3"}, QUANTIZERS)
)
def test_what_is_claimed_is_what_is_measured(name):
    check_quantizer(*QUANTIZERS[name])


def test_segments_keep_the_contract_too():
    claims = Claims(False, lambda x: top(x) / 7, bits=lambda d: 3 * d + 64)
    check_quantizer(segmented(uniform(3), (3, 37)), claims, sizes=[40])
