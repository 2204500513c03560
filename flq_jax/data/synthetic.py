"""A data set made in a moment, with the shape of MNIST."""

import math

import numpy as np

from flq_jax.arguments import require_integer
from flq_jax.data.dataset import Dataset, make_dataset
from flq_jax.single import single

MEAN = 128.0  # grey level around which all images lie
SIGMA = 40.0  # standard deviation of the noise, in grey levels


def synthetic(
    seed: int = 0,
    *,
    train: int = 2000,
    test: int = 500,
    num_classes: int = 10,
    separation: float = 8.0,
    side: int = 28,
) -> Dataset:
    """Gaussian blobs: a mean image for each class, and noise.

    With d = side**2, K classes and z, u of independent N(0, 1) entries,

        mean_k = MEAN + SIGMA separation / sqrt(2 d) z_k,
        x      = clip(round(mean_label + SIGMA u), 0, 255),

    so that two means lie about separation * SIGMA apart. The nearest mean then errs on
    at most about (K - 1) Phi(-separation / 2) of the images, by the union bound.

    Args:
        seed: 0 to 2**64 - 1; the same seed gives the same data.
        train: training examples, num_classes or more.
        test: test examples, 1 or more.
        num_classes: K, 2 to 256; classes are as even as the counts allow.
        separation: distance of the means in standard deviations, 0 or more, finite.
        side: pixels along an edge, 1 or more.

    Returns:
        A `Dataset` with inputs u8[train, side, side] and u8[test, side, side].

    Raises:
        ValueError: if an argument is out of its range.
    """
    require_integer("synthetic", "seed", seed, 0, 2**64 - 1)
    require_integer("synthetic", "test", test, 1)
    require_integer("synthetic", "side", side, 1)
    require_integer("synthetic", "num_classes", num_classes, 2, 256)
    require_integer("synthetic", "train", train, num_classes)
    if not 0.0 <= single(separation) < math.inf:
        raise ValueError(f"synthetic: separation must be 0 or more, got {separation=}")
    rng = np.random.default_rng(seed)
    spread = SIGMA * separation / math.sqrt(2.0 * side * side)
    means = MEAN + spread * rng.standard_normal((num_classes, side, side))

    def sample(n):
        labels = rng.permutation(np.arange(n, dtype=np.int32) % num_classes)
        images = means[labels] + SIGMA * rng.standard_normal((n, side, side))
        return np.clip(np.rint(images), 0, 255).astype(np.uint8), labels

    return make_dataset(
        "synthetic", *sample(train), *sample(test), num_classes=num_classes
    )
