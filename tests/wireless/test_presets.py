import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.wireless import fedl, presets
from flq_jax.wireless.link import shannon_rate_bps


def test_fedl_clients_lie_in_the_published_ranges(key):
    clients = jax.jit(presets.fedl_clients, static_argnums=1)(key, 500)
    cycles = np.asarray(clients["cycles"])
    assert np.all((10 * 5 * 2**23 <= cycles) & (cycles <= 30 * 10 * 2**23))
    # 25,000 nats are about 4.5 kB.
    np.testing.assert_allclose(clients["num_bits"] / 8, 4508.4, rtol=1e-4)
    assert jnp.all(
        (1e9 <= clients["frequency_max_hz"]) & (clients["frequency_max_hz"] <= 2e9)
    )
    optimum = jax.jit(lambda c: fedl.joint_optimum(price_w=jnp.asarray(0.1), **c))(
        clients
    )
    assert jnp.all(optimum.feasible)
    assert 0.0 < optimum.theta < 1.0


def test_chen_cell_is_the_published_one(key):
    cell = jax.jit(presets.chen_cell)(key)
    assert cell.path_gain.shape == (15,) and cell.interference_w.shape == (12,)
    distance_m = cell.path_gain**-0.5
    assert jnp.all((1.0 <= distance_m) & (distance_m <= 500 * (1 + 1e-6)))
    np.testing.assert_allclose(cell.noise_w, 3.98e-15, rtol=1e-3)
    np.testing.assert_allclose(cell.waterfall, 1.0053, rtol=1e-4)
    # 784-50-10 in 16 bits a parameter at 100 m, where P h = 1e-6 W against 1e-8 W of
    # interference: 636160 bits at 6.66 Mbit/s take 96 ms, within the half second.
    rate_bps = shannon_rate_bps(cell.block_hz, 0.01 * 1e-4 / cell.interference_w[0])
    seconds = 39760 * presets.CHEN["bits_per_parameter"] / rate_bps
    np.testing.assert_allclose(seconds, 0.0955, rtol=1e-2)
    assert seconds < cell.deadline_s
