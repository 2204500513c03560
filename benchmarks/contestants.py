"""The quantizers that the benchmarks compare, by name, for vectors of d entries."""

from flq_jax import quantizers as q
from flq_jax.quantizers import Quantizer

BUCKET = 128


def contestants(d: int) -> dict[str, dict[str, Quantizer]]:
    """Family -> setting -> quantizer; the settings of a family differ in rate.

    Args:
        d: entries, 100 or more.
    """
    widths = (2, 3, 4, 6, 8)
    families = {
        "identity": {"": q.identity()},
        "sign": {"": q.sign()},
        "two means": {"": q.two_means()},
        "uniform": {f"{b}": q.uniform(b) for b in (1, *widths)},
        "Lloyd-Max": {f"{b}": q.lloyd_max(2**b) for b in (1, *widths)},
        "Lloyd-Max, Gaussian": {
            f"{b}": q.lloyd_max(2**b, "gaussian") for b in (1, *widths)
        },
        "QSGD": {
            f"{b}": q.bucketed(q.stochastic(2 ** (b - 1) - 1), BUCKET) for b in widths
        },
        "NUQSGD": {f"{b}": q.bucketed(q.nuqsgd(b), BUCKET) for b in widths},
        "ALQ": {f"{b}": q.alq(b) for b in (2, 3, 4, 6)},
        "TernGrad": {"": q.terngrad()},
        "natural": {"": q.natural()},
        "top-k": {f"{s:g}": q.top_k(max(1, int(s * d)), d) for s in (0.01, 0.05, 0.2)},
        "rand-k": {f"{s:g}": q.rand_k(max(1, int(s * d)), d) for s in (0.05, 0.2)},
        "DRIVE": {"": q.drive(unbiased=False)},
        "EDEN": {
            f"{b:g}": q.eden(b, unbiased=False) for b in (0.5, 1.0, 2, 3, 4, 6, 8)
        },
        "QUIC-FL": {"": q.quic_fl()},
        "THC": {f"{b}": q.thc(b, 2 ** (b + 1) - 2) for b in (2, 3, 4, 6)},
    }
    for lattice in ("scalar", "hexagonal", "d3", "e8"):
        families[f"UVeQFed, {lattice}"] = {
            f"{b}": q.uveqfed(lattice, b, reach=2 + b / 5) for b in (2, 3, 4, 6, 8)
        }
    return families
