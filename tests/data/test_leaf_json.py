"""LEAF's folders of JSON: every example is its user's, whatever the files hold."""

import copy
import json

import hostile
import numpy as np
import pytest

from flq_jax.data import DataError, leaf
from flq_jax.data.characters import ALPHABET, tokens

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 784), dtype=np.uint8)


def half(users):
    """user -> (x, y) as the dict of a file."""
    return {
        "users": list(users),
        "num_samples": [len(y) for _, y in users.values()],
        "user_data": {user: {"x": x, "y": y} for user, (x, y) in users.items()},
    }


def write(folder, train, test):
    for name, files in ("train", train), ("test", test):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i, users in enumerate(files):
            path = folder / name / f"all_data_{i}_niid_0_keep_0_{name}_9.json"
            path.write_text(json.dumps(half(users)))
    return folder


def images(rows):
    return [(PIXELS[row] / 255.0).tolist() for row in rows]


FEMNIST = (
    [
        {"f02": (images([0, 1]), [3, 61]), "f01": (images([2, 3, 4]), [0, 0, 7])},
        {"f00": (images([5]), [9]), "f99": ([], [])},
    ],
    [{"f02": (images([6]), [3]), "f05": (images([7, 8]), [1, 2])}],
)
PIECES = ["To be, or not to be", "or not to be, that ", "Who's there?\nNay, a"]
SHAKESPEARE = (
    [{"HAMLET": (PIECES[:2], [",", "i"])}],
    [{"BERNARDO": (PIECES[2:], ["s"])}],
)


def test_femnist_s_images_are_bytes_with_their_writers(tmp_path):
    data = leaf(write(tmp_path, *FEMNIST))
    images_ = PIXELS.reshape(-1, 28, 28)
    np.testing.assert_array_equal(data.train_inputs, images_[:6])
    np.testing.assert_array_equal(data.test_inputs, images_[6:])
    assert data.train_labels.tolist() == [3, 61, 0, 0, 7, 9]
    # In the order of their names: f00, f01, f02 and f05, who is in the test half alone.
    assert data.train_users.tolist() == [2, 2, 1, 1, 1, 0]
    assert data.test_users.tolist() == [2, 3, 3]
    assert (data.num_classes, data.name) == (62, "leaf")


def test_shakespeare_s_text_is_tokens_and_the_next_character(tmp_path):
    data = leaf(write(tmp_path, *SHAKESPEARE), name="plays")
    assert data.train_inputs.dtype == np.int32
    np.testing.assert_array_equal(data.train_inputs[1], tokens(PIECES[1]))
    np.testing.assert_array_equal(data.test_inputs[0], tokens(PIECES[2]))
    assert data.train_labels.tolist() == [ALPHABET.index(c) for c in ",i"]
    assert data.num_classes == 80 and data.name == "plays"
    assert data.train_users.tolist() == [1, 1] and data.test_users.tolist() == [0]


def test_other_floats_stay_floats_and_real_targets_too(tmp_path):
    train = [{"a": ([[0.1, -2.0], [0.3, 4.0]], [0.5, 1.5]), "b": ([[1.0, 2.0]], [2.0])}]
    data = leaf(write(tmp_path, train, [{"a": ([[1.0, 1.0]], [0.25])}]))
    assert data.train_inputs.dtype == data.train_labels.dtype == np.float32
    np.testing.assert_allclose(data.train_inputs, [[0.1, -2], [0.3, 4], [1, 2]], 1e-6)
    assert data.train_labels.tolist() == [0.5, 1.5, 2.0]
    assert data.num_classes == 0


def changed(path, to, users=SHAKESPEARE[0][0]):
    """Its text with the value at the path set, or gone."""
    held = copy.deepcopy(half(users))
    where = held
    for key in path[:-1]:
        where = where[key]
    if to is None:
        del where[path[-1]]
    else:
        where[path[-1]] = to
    return json.dumps(held).encode()


HAMLET = ("user_data", "HAMLET")
BROKEN = {
    "empty": (b"", "Expecting value"),
    "a list": (b"[]", "list indices"),
    "deep": (b"[" * 100_000, "recursion"),
    "no text": (b"\xff\xfe\xfd", "decode"),
    "a huge number": (b'{"users": ' + b"9" * 5000 + b"}", "integer"),
    "no users": (changed(["users"], None), "got no 'users'"),
    "no such user": (changed(["users"], ["OPHELIA"]), "got no 'OPHELIA'"),
    "no x": (changed([*HAMLET, "x"], None), "got no 'x'"),
    "fewer y": (changed([*HAMLET, "y"], ["a"]), "x and y of 'HAMLET' of two lengths"),
    "x of two lengths": (
        changed([*HAMLET, "x"], ["ab", "abc"]),
        "text of several lengths",
    ),
    "x of two kinds": (changed([*HAMLET, "x"], ["ab", [1]]), "neither text nor a list"),
    "ragged x": (changed([*HAMLET, "x"], [[1], [1, 2]]), "inhomogeneous"),
    "x of objects": (changed([*HAMLET, "x"], [[{}], [{}]]), "an x of object"),
    "y of words": (changed([*HAMLET, "y"], ["ab", "c"]), r"a y of <U2\[2\]"),
    "y of lists": (changed([*HAMLET, "y"], [[1], [2]]), r"a y of int64\[2, 1\]"),
    "a number as user": (changed(["users"], [7]), "got no 7"),
}


@pytest.mark.parametrize("data, match", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_named_in_a_line(data, match, tmp_path):
    write(tmp_path, *SHAKESPEARE)
    (path,) = (tmp_path / "train").iterdir()
    path.write_bytes(data)
    with pytest.raises(
        DataError, match=f"{path}: must be LEAF's JSON.*{match}"
    ) as error:
        leaf(tmp_path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 600


def test_halves_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(DataError, match="train: must be a folder of LEAF's JSON files"):
        leaf(tmp_path)
    train, test = SHAKESPEARE
    write(tmp_path / "twice", [*train, *train], test)
    with pytest.raises(DataError, match="must hold each user once, got 'HAMLET' twice"):
        leaf(tmp_path / "twice")
    write(tmp_path / "kinds", [*train, *FEMNIST[0]], test)
    with pytest.raises(DataError, match=r"got numbers\[28, 28\] and text\[19\]"):
        leaf(tmp_path / "kinds")
    write(tmp_path / "none", train, [{"f": ([], [])}])
    with pytest.raises(
        DataError, match="test: must hold users with examples, got none"
    ):
        leaf(tmp_path / "none")


@pytest.mark.parametrize("count", [300, pytest.param(4_000, marks=pytest.mark.repro)])
def test_damaged_files_are_data_errors_or_examples(count, tmp_path):
    rng = np.random.default_rng(0)
    write(tmp_path, *SHAKESPEARE)
    (path,) = (tmp_path / "train").iterdir()
    good = path.read_bytes()
    for _ in range(count):
        path.write_bytes(hostile.damaged(good, rng))
        try:
            assert leaf(tmp_path).train_inputs.dtype == np.int32
        except DataError as error:
            assert "\n" not in str(error)
