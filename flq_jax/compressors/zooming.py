"""How fast a prescribed grid may shrink: gradient descent after Magnusson et al. (2020)."""

import math
from typing import NamedTuple


class Zooming(NamedTuple):
    """Grids that provably follow the gradients, r^k = scale * rate**k.

    Attributes:
        bits: b.
        scale: K, the radius of round 0.
        rate: alpha in (0, 1), by which the grid shrinks and the iterates converge.
        distance: E, so that ||x^k - x*|| <= E alpha^k.
    """

    bits: int
    scale: float
    rate: float
    distance: float


def zooming(
    smoothness: float,
    convexity: float,
    num_params: int,
    *,
    distance: float,
    gradient: float,
    bits: int | None = None,
    step: float | None = None,
) -> Zooming:
    """A grid that gradient descent on its codes never leaves, and the rate it brings.

    The server steps x^(k+1) = x^k - gamma mean_i q_i^k, and the clients send
    `innovation(uniform(bits, geometric(scale, rate)))` of their gradients c_i^k, so that
    |q_i^k - c_i^k| <= r^k / s with s = 2**b - 1 while |c_i^k - q_i^(k-1)| <= r^k, entry by
    entry. Let sigma be the rate without quantization, max(|1 - gamma mu|, |1 - gamma L|),
    and suppose ||x^k - x*|| <= E alpha^k. Then

        ||x^(k+1) - x*|| <= sigma E alpha^k + gamma sqrt(d) r^k / s   <= E alpha^(k+1),
        |c_i^(k+1) - q_i^k| <= L (1 + alpha) E alpha^k + r^k / s      <= r^(k+1),

    that is, induction closes with K = E L (1 + alpha) / (alpha - 1 / s) iff

        s >= (1 / alpha) (1 + gamma L sqrt(d) (1 + alpha) / (alpha - sigma)).

    The least such alpha is taken. It is below 1 iff s > 1 + 2 gamma L sqrt(d) / (1 -
    sigma), which no single bit fulfils, and tends to sigma as b grows. The number of
    clients does not matter: a mean errs by no more than the worst of its terms. The
    theorem of Magnusson et al. is of this form; these constants are derived here.

    Args:
        smoothness: L of every client's loss, above 0.
        convexity: mu of their mean, in (0, L].
        num_params: d, 1 or more.
        distance: at least ||x^0 - x*||, above 0.
        gradient: at least max |c_i^0|, the largest entry of the first gradients, 0 or
            more: q^(-1) = 0, and the first grid must hold them. E is enlarged if need be.
        bits: b; None takes the fewest that converge, which may be more than the 8 that
            `uniform` takes: 15 for d = 7,850 and L = 100 mu.
        step: gamma; None takes 2 / (L + mu).

    Raises:
        ValueError: an argument is out of its range, gradient descent does not contract
            with this step, or b is too small; it says what b would do.
    """
    _require_problem(smoothness, convexity, num_params, distance, gradient)
    step = 2.0 / (smoothness + convexity) if step is None else step
    sigma = max(abs(1.0 - step * convexity), abs(1.0 - step * smoothness))
    if not (step > 0.0 and sigma < 1.0):
        raise ValueError(
            f"zooming: step must be in (0, 2 / L) with {smoothness=}, got {step=}"
        )
    gain = step * smoothness * math.sqrt(num_params)
    least = math.floor(math.log2(2.0 + 2.0 * gain / (1.0 - sigma))) + 1
    bits = least if bits is None else bits
    if bits < least:
        reason = "the error of one bit is the radius itself, and " if bits == 1 else ""
        raise ValueError(
            f"zooming: {reason}the grid shrinks only where 2**bits - 1 > 1 + 2 gamma L "
            f"sqrt(d) / (1 - sigma): bits must be {least} or more, got {bits=}"
        )
    s = 2**bits - 1
    total = s * sigma + 1.0 + gain
    rate = (total + math.sqrt(total**2 - 4.0 * s * (sigma - gain))) / (2.0 * s)
    per_distance = smoothness * (1.0 + rate) / (rate - 1.0 / s)
    distance = max(distance, gradient / per_distance)
    return Zooming(bits, per_distance * distance, rate, distance)


def _require_problem(
    smoothness: float,
    convexity: float,
    num_params: int,
    distance: float,
    gradient: float,
) -> None:
    if not 0.0 < convexity <= smoothness < math.inf:
        raise ValueError(
            f"zooming: must have 0 < convexity <= smoothness, got {convexity=} "
            f"{smoothness=}"
        )
    if num_params < 1:
        raise ValueError(f"zooming: num_params must be 1 or more, got {num_params=}")
    if not (0.0 < distance < math.inf and 0.0 <= gradient < math.inf):
        raise ValueError(
            "zooming: distance must be positive, gradient 0 or more, and both finite, "
            f"got {distance=} {gradient=}"
        )
