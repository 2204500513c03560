"""Folders of images: each pixel and class where it belongs, in the order of names."""

import io
import os
import sys

import hostile
import numpy as np
import pytest

from flq_jax.data import DataError, image_folder

Image = pytest.importorskip("PIL.Image")

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (5, 3, 4), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (5, 3, 4, 3), dtype=np.uint8)
PLACES = [
    "train/cat/0.png",
    "train/cat/1.PNG",
    "train/ant/0.png",
    "test/cat/0.png",
    "test/ant/9.png",
]


def write(folder, images, places=PLACES):
    for place, pixels in zip(places, images):
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.mark.parametrize("images", [GREY, COLOUR], ids=["grey", "coloured"])
def test_images_follow_in_the_order_of_their_names(images, tmp_path):
    folder = write(tmp_path, images)
    (folder / "train/ant/notes.txt").write_text("no image")
    data = image_folder(folder)
    np.testing.assert_array_equal(data.train_inputs, images[[2, 0, 1]])
    np.testing.assert_array_equal(data.test_inputs, images[[4, 3]])
    assert data.train_inputs.dtype == np.uint8
    assert data.train_labels.tolist() == [0, 1, 1]
    assert data.test_labels.tolist() == [0, 1]
    assert (data.num_classes, data.name) == (2, "images")


def test_one_coloured_image_makes_all_coloured(tmp_path):
    data = image_folder(write(tmp_path, [*GREY[:4], COLOUR[4]]))
    np.testing.assert_array_equal(data.test_inputs[0], COLOUR[4])
    for channel in range(3):
        np.testing.assert_array_equal(data.train_inputs[0, ..., channel], GREY[2])


@pytest.mark.parametrize("ending", ["jpg", "bmp", "webp"])
def test_other_formats_are_read(ending, tmp_path):
    places = [f"{half}/one/a.{ending}" for half in ("train", "test")]
    data = image_folder(write(tmp_path, np.full((2, 8, 8, 3), 77, np.uint8), places))
    assert np.abs(data.train_inputs.astype(int) - 77).max() <= 2


def test_images_of_other_sizes_and_depths_are_named(tmp_path):
    write(tmp_path, GREY)
    path = tmp_path / "train/cat/1.PNG"
    Image.fromarray(GREY[0, :, :3]).save(path)
    with pytest.raises(DataError, match=f"{path}: .* one size, 4 x 3, got 3 x 3"):
        image_folder(tmp_path)
    Image.fromarray(GREY[0].astype(np.uint16)).save(path)
    with pytest.raises(DataError, match=f"{path}: must be of 8 bits.*got mode I;16"):
        image_folder(tmp_path)


def test_classes_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(DataError, match="train: must be a folder of a folder for each"):
        image_folder(tmp_path)
    write(tmp_path, GREY)
    os.mkdir(tmp_path / "test/dog")
    with pytest.raises(DataError, match="classes of test must be among .*, got dog"):
        image_folder(tmp_path)
    os.mkdir(tmp_path / "train/dog")
    with pytest.raises(
        DataError, match="training images of each class, got none of dog"
    ):
        image_folder(tmp_path)
    for place in PLACES[3:]:
        (tmp_path / place).unlink()
    with pytest.raises(DataError, match=r"test: must hold images \(.png, .*got none"):
        image_folder(tmp_path)


def test_what_is_no_image_is_named_in_a_line(tmp_path):
    write(tmp_path, GREY)
    path = tmp_path / PLACES[0]
    good = path.read_bytes()
    jpeg = io.BytesIO()
    Image.fromarray(GREY[0]).save(jpeg, "JPEG")
    for content in b"", b"no image", good[:50], jpeg.getvalue():
        path.write_bytes(content)
        with pytest.raises(
            DataError, match=f"{path}: must be an intact image"
        ) as error:
            image_folder(tmp_path)
        assert "\n" not in str(error.value)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match="no regular file"):
        image_folder(tmp_path)


def test_more_pixels_than_the_machine_holds_are_not_unpacked(tmp_path, monkeypatch):
    write(tmp_path, GREY)
    monkeypatch.setattr("os.sysconf", {"SC_PAGE_SIZE": 7, "SC_PHYS_PAGES": 7}.get)
    with pytest.raises(
        DataError, match="5 images: must fit in this machine's 49 bytes"
    ):
        image_folder(tmp_path)


def test_without_pillow_a_line_says_what_to_install(tmp_path, monkeypatch):
    write(tmp_path, GREY)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DataError, match="is read by Pillow, `pip install pillow`"):
        image_folder(tmp_path)


@pytest.mark.parametrize("count", [200, pytest.param(2_000, marks=pytest.mark.repro)])
def test_damaged_images_are_data_errors_or_images(count, tmp_path):
    rng = np.random.default_rng(0)
    write(tmp_path, COLOUR)
    path = tmp_path / PLACES[0]
    good = path.read_bytes()
    for _ in range(count):
        path.write_bytes(hostile.damaged(good, rng))
        try:
            assert image_folder(tmp_path).train_inputs.shape == (3, 3, 4, 3)
        except DataError as error:
            assert "\n" not in str(error)
