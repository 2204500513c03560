"""Folders of images by class.

train/CLASS/*.png, test/CLASS/*.png    also .jpg, .jpeg, .bmp and .webp
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flq_jax.data.dataset import Dataset, make_dataset
from flq_jax.data.errors import DataError
from flq_jax.data.reading import opened, reason, require_memory, require_path, shown

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".webp": "WEBP",
}
GREY = {"1", "L"}
COLOUR = {"P", "PA", "LA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}


def image_folder(folder: str | os.PathLike, *, name: str = "images") -> Dataset:
    """Images of one size: u8[n, h, w] if all are grey, else u8[n, h, w, 3].

    Classes are the folders in `train`, in the order of their names, and images follow in
    the order of theirs. Other files are left out, and so is transparency.

    Args:
        folder: holds `train` and `test`.
        name: the data set's.

    Raises:
        DataError: Pillow is not installed, a folder or file is missing or broken, images
            are of several sizes or of more than 8 bits, or a class has no training images.
    """
    require_path("image_folder", folder)
    train, test = (_by_class(Path(folder, half)) for half in ("train", "test"))
    if more := sorted(set(test) - set(train)):
        raise DataError(
            f"{shown(folder)}: classes of test must be among those of train, got "
            f"{shown(', '.join(more))}"
        )
    if empty := [label for label, paths in train.items() if not paths]:
        raise DataError(
            f"{shown(folder)}: must hold training images of each class, got none of "
            f"{shown(', '.join(empty))}"
        )
    paths = [
        [path for paths in half.values() for path in paths] for half in (train, test)
    ]
    numbers = {label: number for number, label in enumerate(train)}
    labels = [
        np.repeat([numbers[label] for label in half], [len(p) for p in half.values()])
        for half in (train, test)
    ]
    images = _read(shown(folder), paths[0] + paths[1])
    n = len(paths[0])
    arrays = images[:n], labels[0], images[n:], labels[1]
    return make_dataset(name, *arrays, num_classes=len(train), source=shown(folder))


def _by_class(folder: Path) -> dict[str, list[Path]]:
    """Class -> its images, both in the order of their names."""
    try:
        classes = sorted(path for path in folder.iterdir() if path.is_dir())
        found = {
            path.name: sorted(p for p in path.iterdir() if p.suffix.lower() in FORMATS)
            for path in classes
        }
    except (OSError, ValueError) as error:
        raise DataError(
            f"{shown(folder)}: must be a folder of a folder for each class, got "
            f"{reason(error)}"
        ) from error
    if not any(found.values()):
        raise DataError(
            f"{shown(folder)}: must hold images ({', '.join(FORMATS)}) in a folder for "
            "each class, got none"
        )
    return found


def _read(where: str, paths: Sequence[Path]) -> np.ndarray:
    """u8[n, h, w] or u8[n, h, w, 3], in the order of the paths."""
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError(
            f"{where}: is read by Pillow, `pip install pillow`, got {reason(error)}"
        ) from error
    kinds = [
        _opened(Image, path, lambda image: (image.size, image.mode)) for path in paths
    ]
    size = kinds[0][0]
    for path, (other, mode) in zip(paths, kinds):
        if other != size:
            raise DataError(
                f"{shown(path)}: all images must be of one size, {size[0]} x {size[1]}, "
                f"got {other[0]} x {other[1]}"
            )
        if mode not in GREY | COLOUR:
            raise DataError(
                f"{shown(path)}: must be of 8 bits, grey or coloured, got mode {mode}"
            )
    grey = all(mode in GREY for _, mode in kinds)
    shape = (len(paths), size[1], size[0], *([] if grey else [3]))
    require_memory(f"{where}: {len(paths)} images", int(np.prod(shape, dtype=object)))
    images = np.empty(shape, np.uint8)
    mode = "L" if grey else "RGB"
    for row, path in zip(images, paths):
        row[...] = _opened(Image, path, lambda image: np.asarray(image.convert(mode)))
    return images


def _opened(pillow, path: Path, look):
    """What `look` says of an image."""
    try:
        formats = [FORMATS[path.suffix.lower()]]
        with opened(path) as file, pillow.open(file, formats=formats) as image:
            return look(image)
    except Exception as error:  # Pillow names no closed list
        raise DataError(
            f"{shown(path)}: must be an intact image, got {shown(reason(error))}"
        ) from error
