import jax
import numpy as np
import optax
import pytest

from flq_jax.data.clients import ClientData
from flq_jax.federated import augmented, crop_and_flip, local_epochs


def image(**changes):
    """4,000 times an image of 3 x 2 pixels, numbered from 1."""
    one = np.arange(1, 7, dtype=np.float32).reshape(3, 2)
    key = jax.random.key(0)
    transform = jax.jit(crop_and_flip(**changes))
    return one, np.asarray(transform(key, np.broadcast_to(one, (4000, 3, 2))))


def test_images_move_by_no_more_than_the_padding_everywhere_alike():
    """9 places: 4,000 / 9 of each, to within 5 standard deviations of 20."""
    one, found = image(padding=1, flip=False)
    padded = np.pad(one, 1)
    places = [padded[i : i + 3, j : j + 2] for i in range(3) for j in range(3)]
    counts = [(found == place).all(axis=(1, 2)).sum() for place in places]
    assert sum(counts) == 4000
    assert np.abs(np.array(counts) - 4000 / 9).max() < 100


def test_every_other_image_is_mirrored():
    """2,000, to within 5 standard deviations of 32."""
    one, found = image(padding=0)
    same = (found == one).all(axis=(1, 2))
    mirrored = (found == one[:, ::-1]).all(axis=(1, 2))
    assert (same ^ mirrored).all() and abs(same.sum() - 2000) < 160


def test_colours_stay_together():
    pixels = np.random.default_rng(0).random((5, 4, 4, 1), np.float32)
    found = jax.jit(crop_and_flip())(jax.random.key(0), np.repeat(pixels, 3, axis=3))
    assert found.shape == (5, 4, 4, 3)
    np.testing.assert_array_equal(found[..., 0], found[..., 2])


def total(params, inputs, labels, weights, key=None):
    del labels, key
    return params * (weights @ inputs.sum(axis=(1, 2)))


def test_a_client_learns_from_what_its_rounds_key_draws():
    """The gradient is what is left of the image: with one seed alike, not with another."""
    shard = ClientData(
        np.ones((1, 2, 2), np.float32), np.zeros(1, np.int32), np.int32(1)
    )
    loss = augmented(total, crop_and_flip(padding=1))
    update = jax.jit(local_epochs(loss, optax.sgd(1.0), batch=1, epochs=8).update)
    sums = [
        float(update(jax.random.key(seed), np.float32(0), shard, ())[1])
        for seed in (0, 0, 1)
    ]
    assert sums[0] == sums[1] != sums[2]
    assert 8 * 1 <= sums[0] < 8 * 4  # a corner of four pixels at least


def test_without_a_key_examples_are_as_they_are():
    whole = augmented(total, crop_and_flip(1))
    ones = np.ones((1, 2, 2), np.float32)
    assert whole(np.float32(1.0), ones, None, np.ones(1, np.float32)) == 4.0


def test_vectors_are_no_images():
    with pytest.raises(ValueError, match=r"crop_and_flip: .*got float32\[5, 4\]"):
        crop_and_flip()(jax.random.key(0), np.zeros((5, 4), np.float32))
