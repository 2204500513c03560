"""Shapes of parameters, and images that end before the last layer."""

import numpy as np
import pytest

from flq_jax import models


def test_a_layer_beyond_the_last_pixel_is_refused():
    # Four pixels a side, then two, one, none.
    net, float32 = models.CNN((2, 2, 2)), np.dtype("float32")
    assert models.shapes_of(models.CNN((2, 2)), (1, 4, 4), float32, False)
    with pytest.raises(ValueError, match="no inputs, its image is empty"):
        models.shapes_of(net, (1, 4, 4), float32, False)
