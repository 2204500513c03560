"""The normal distribution, on the host: what designs of levels are computed from.

SciPy is imported by the first design, for it takes as long as much of the rest of the
package, and most quantizers need none.
"""

import numpy as np


def ndtr(t: np.ndarray) -> np.ndarray:
    """P(z <= t) of standard normal z."""
    from scipy import special

    return special.ndtr(t)


def ndtri(share: np.ndarray | float) -> np.ndarray:
    """The t with P(z <= t) = share, in 0..1."""
    from scipy import special

    return special.ndtri(share)
