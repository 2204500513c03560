"""Made-up images lie as CIFAR-10's do, and their class can be told from them."""

import pathlib
import runpy

import numpy as np

from flq_jax.data import cifar10

ROOT = pathlib.Path(__file__).parents[2]
MADE = runpy.run_path(str(ROOT / "examples" / "made_up_cifar10.py"))


def test_the_reader_reads_them_and_classes_differ(tmp_path):
    MADE["write"](tmp_path, per_file=40)
    found = cifar10(tmp_path)
    assert found.train_inputs.shape == (200, 32, 32, 3)
    assert found.test_inputs.shape == (40, 32, 32, 3)
    assert {*found.train_labels} == {*range(10)}
    # The power of a pattern's waves does not move with it: nearest class by spectrum.
    spectrum = np.abs(np.fft.fft2(found.train_inputs / 255.0, axes=(1, 2)))
    spectrum = spectrum[:, 1:4, 1:4].reshape(len(spectrum), -1)
    classes = np.stack([spectrum[found.train_labels == k].mean(0) for k in range(10)])
    nearest = ((spectrum[:, None] - classes) ** 2).sum(-1).argmin(1)
    assert (nearest == found.train_labels).mean() > 0.8


def test_a_pattern_is_smooth_and_of_unit_contrast():
    found = MADE["patterns"](np.random.default_rng(0))
    assert np.allclose(found.std(axis=(1, 2, 3)), 1.0)
    assert np.allclose(found.mean(axis=(2, 3)), 0.0, atol=1e-12)
    power = np.abs(np.fft.fft2(found)) ** 2
    high = MADE["WAVES"] + 1
    assert np.allclose(power[:, :, high : 32 - high + 1], 0.0, atol=1e-12)
