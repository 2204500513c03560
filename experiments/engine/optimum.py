"""The least value f* of a convex training loss, which residuals are measured from."""

import functools
import json
import math
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from flq_jax import federated
from flq_jax.data.flat import joined
from flq_jax.precision import EXACT

from ..assembly.build import Run
from ..process import peers
from ..process.whole_files import text, write_json


def kept(
    path: pathlib.Path, of: Mapping[str, Any], solve: Callable[[], float]
) -> float:
    """f* as a file has it; solved for and written there if it has none.

    A run that goes on does not solve again what took it half a minute.

    Args:
        path: of the file.
        of: all that f* depends on, as JSON has it; the file holds it too.
        solve: gives f*; all of several processes take part.
    """
    try:
        known = json.loads(text(path))
        optimum = float(known.pop("optimum"))
        known = known if math.isfinite(optimum) else None
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        known = None
    except (OverflowError, RecursionError):  # JSON, but of no number or value that is
        known = None
    if peers.any_of_us(known != of):
        optimum = solve()
        if peers.first_of_us():
            write_json(path, {**of, "optimum": optimum})
    return optimum


def least_loss(run: Run) -> float:
    """min_theta f(theta) = sum_m n_m/n f_m(theta), for a convex loss.

    L-BFGS, first in f32 and from there in f64. A gradient g that is left at the end
    means an error of at most ||g||^2 / (2 mu) in f*, with mu the strong convexity, at
    least the l2 of the loss.
    """
    import scipy.optimize  # for those who ask for f*

    theta = np.asarray(run.state.params, np.float64)
    for dtype, tolerance in ((jnp.float32, 1e-4), (jnp.float64, 1e-8)):
        with jax.enable_x64(dtype == jnp.float64):
            found = scipy.optimize.minimize(
                _objective(run, dtype),
                theta,
                jac=True,
                method="L-BFGS-B",
                options={"maxiter": 1000, "ftol": 0.0, "gtol": tolerance, "maxcor": 30},
            )
        theta = found.x
    return float(found.fun)


def _objective(run: Run, dtype: jnp.dtype) -> Callable:
    """theta f64[d] -> (f(theta), its gradient f64[d]), computed in `dtype`."""
    params = run.federation.unravel(run.state.params)
    model = run.federation.local_update.model
    _, unravel = ravel_pytree(jax.tree.map(lambda leaf: leaf.astype(dtype), params))

    @jax.jit
    def value_and_gradient(theta, data):
        # A gradient each, lest all clients' examples be kept for that of the mean.
        @jax.value_and_grad
        def local(theta, pool, row):
            shard = joined(pool, row)
            return run.task.loss(model(unravel(theta)), *federated.whole(shard), None)

        each = jax.vmap(functools.partial(local, theta), (None, 0))
        pool, rows = data.apart()
        values, gradients = federated.in_groups(1, run.mesh)(each, pool)(rows)
        shares = (data.sizes / jnp.sum(data.sizes)).astype(dtype)
        mean = functools.partial(jnp.dot, shares, precision=EXACT)
        return mean(values), mean(gradients)

    def objective(theta):
        value, gradient = value_and_gradient(jnp.asarray(theta, dtype), run.data)
        return float(value), np.asarray(gradient, np.float64)

    return objective
