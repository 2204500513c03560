"""Images in CIFAR-10's binary layout that can be learned: no data set has to be fetched.

    python examples/made_up_cifar10.py my/images
    python -m experiments.main --config=configs/tasks/cifar10_resnet8.py --config.data='cifar10("my/images")'

A class is a smooth pattern of colours; an image is its class's, moved by up to eight pixels
around the edges, in a light of its own, under noise. Ten classes, `BATCHES` files of 2,000
images to learn from and one to test, as in cifar-10-batches-bin: a byte for the label, then
the red, the green and the blue plane.
"""

import pathlib
import sys

import numpy as np

SIDE, CLASSES, PER_FILE, BATCHES = 32, 10, 2000, 5
WAVES, MOVED = 3, 8  # highest frequency of a pattern; pixels
CONTRAST, NOISE = 40.0, 30.0  # of 255


def patterns(rng: np.random.Generator) -> np.ndarray:
    """A pattern of each class, f64[10, 3, 32, 32], of mean 0 and deviation 1."""
    shape = CLASSES, 3, 2 * WAVES + 1, 2 * WAVES + 1
    waves = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    spectrum = np.zeros((CLASSES, 3, SIDE, SIDE), complex)
    low = np.arange(-WAVES, WAVES + 1)
    spectrum[:, :, low[:, None], low] = waves
    spectrum[:, :, 0, 0] = 0.0
    found = np.fft.ifft2(spectrum).real
    return found / found.std(axis=(1, 2, 3), keepdims=True)


def records(rng: np.random.Generator, classes: np.ndarray, count: int) -> np.ndarray:
    """So many images as records of label and planes, u8[count, 1 + 3072]."""
    labels = rng.integers(0, CLASSES, count)
    rows, columns = rng.integers(-MOVED, MOVED + 1, (2, count))
    light = rng.uniform(0.6, 1.4, (count, 1, 1, 1))
    moved = np.stack(
        [np.roll(classes[k], at, (1, 2)) for k, *at in zip(labels, rows, columns)]
    )
    noise = NOISE * rng.standard_normal(moved.shape)
    images = np.clip(127.5 + CONTRAST * light * moved + noise, 0, 255).astype(np.uint8)
    return np.hstack([labels[:, None].astype(np.uint8), images.reshape(count, -1)])


def write(folder: pathlib.Path, per_file: int = PER_FILE, seed: int = 0) -> None:
    """Writes the folder's files; each has `per_file` images."""
    rng = np.random.default_rng(seed)
    classes = patterns(rng)
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"data_batch_{i + 1}.bin" for i in range(BATCHES)]
    for name in [*names, "test_batch.bin"]:
        (folder / name).write_bytes(records(rng, classes, per_file).tobytes())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/made_up_cifar10.py FOLDER")
    write(pathlib.Path(sys.argv[1]))
