"""What a round's computation takes of a processor."""

import numpy as np

from flq_jax import networks
from flq_jax.models import CNN, Bits, layer_costs


def test_cycles_by_hand():
    """Each layer at its own widths, a convolution's weights once for every place."""
    layers = layer_costs(CNN((2, 3), num_classes=7, bits=Bits(1, 2, 6)), (5, 4))
    found = networks.cycles(layers, np.array([600, 0]), np.array([50, 50]), 1024.0)
    # 20 places x 18 weights and 21 of floats, 4 x 54 of W1 A2 G6, forward and backward.
    operations = (360 + 21) * 3 * 32 * 32 + 216 * (1 * 2 + 1 * 6 + 2 * 6)
    np.testing.assert_allclose(found, [50 * operations / 1024, 1.0])
