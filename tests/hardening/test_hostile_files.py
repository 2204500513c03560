"""Damaged files: each is its own run's misfortune, told in a line, and nothing is lost."""

import collections
import contextlib
import copy
import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import struct
import time

import hostile
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax import data
from flq_jax.configs import default
from flq_jax.data.files import IDX_FILES, NPZ_ARRAYS
from flq_jax.experiments import export
from flq_jax.experiments.engine import optimum, sweep
from flq_jax.experiments.folder.checkpoints import Checkpoints, NotThisRuns
from flq_jax.experiments.options import submitted
from flq_jax.experiments.process.errors import ConfigError
from flq_jax.experiments.reading import grouping, packed_model, page, publish, results
from flq_jax.experiments.reading.columns import usual
from flq_jax.models import CNN, Bits

pytestmark = pytest.mark.repro

MOST_SECONDS = 10.0  # of a processor; the machine may be another's, too
MOST_WALL = 120  # seconds
ODD = (
    None, True, -1, 0, 10**400, float("inf"), float("nan"), 1e308, "", "1", "a\nb",
    "\ud800", "[bold]", "$\\frac$", [], {}, [[]], {"": 0}, [1, 2],
)  # fmt: skip
TEXTS = (
    b"", b"[]", b"null", b"NaN", b"{", b"{}", b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 10**5,
    b"9" * 5000, b'{"a": ' * 10**4, b"\0" * 100, b"{}\n{}\n",
)  # fmt: skip


@pytest.fixture
def rng():
    return np.random.default_rng(17)


@contextlib.contextmanager
def in_time(times):
    """Notes the processor's seconds; ends the test where nothing comes."""
    signal.alarm(MOST_WALL)
    begin = time.process_time()
    yield
    times.append(time.process_time() - begin)
    signal.alarm(0)


def other_json(text, rng):
    """JSON of one line with something of another kind or name in it, or missing."""
    lines = text.splitlines() if text.count(b"}\n{") else [text]
    at = rng.integers(len(lines))
    value = json.loads(lines[at])
    places = [*_places(value)]
    where, key = places[rng.integers(len(places))]
    way = rng.integers(6)
    if way == 0:
        del where[key]
    elif way == 1:
        where["more" if isinstance(where, dict) else slice(0, 0)] = [3]
    else:
        where[key] = copy.deepcopy(ODD[rng.integers(len(ODD))])
    lines[at] = json.dumps(value).encode()
    return b"\n".join(lines) + b"\n"


def _places(value):
    """(container, key) of whatever is in it, at any depth."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(pairs):
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from _places(inner)


def spoil(path, rng, text=True):
    """Damages a file in one of many ways; its name."""
    whole = path.read_bytes()
    ways = ["bytes", "bytes", "whole", "node", "json", "json", "json"]
    way = ways[rng.integers(len(ways) if text else 4)]
    if way == "bytes":
        path.write_bytes(hostile.damaged(whole, rng))
    elif way == "json":
        path.write_bytes(other_json(whole, rng))
    elif way == "whole":
        path.write_bytes(TEXTS[rng.integers(len(TEXTS))])
    else:
        path.unlink()
        way = ["missing", "folder", "fifo", "loop"][rng.integers(4)]
        if way == "folder":
            path.mkdir()
        elif way == "fifo":
            os.mkfifo(path)
        elif way == "loop":
            path.symlink_to(path.name)
    return way


def remove(path):
    """Whatever it is; `rmtree` alone would wait for a FIFO."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def there(folder):
    """Every file below it, with what it holds; what is no file by its kind."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_dir():
            content = path.read_bytes() if path.is_file() else oct(path.lstat().st_mode)
            found[str(path.relative_to(folder))] = content
    return found


def one_line(error):
    assert str(error).strip() and "\n" not in str(error), repr(error)
    return type(error).__name__


def counted(what, ends, times):
    """Prints what the ends were, and holds the slowest to its time."""
    kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(ends.items()))
    print(f"\n{ends.total()} {what}: {kinds}; slowest {max(times):.2f} s")
    assert max(times) < MOST_SECONDS


def idx(array):
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return head + array.tobytes()


@pytest.mark.parametrize("kind", ["npz", "idx", "idx.gz"])
def test_hostile_data_are_data_errors_or_the_examples(kind, tmp_path, rng):
    images = rng.integers(0, 256, (12, 4, 4), dtype=np.uint8)
    labels = np.arange(12, dtype=np.uint8) % 3
    arrays = images, labels, images[:6], labels[:6]
    if kind == "npz":
        file = io.BytesIO()
        np.savez_compressed(file, **dict(zip(NPZ_ARRAYS, arrays)))
        good = {"own.npz": file.getvalue()}
    else:
        pack, end = (gzip.compress, ".gz") if kind == "idx.gz" else (bytes, "")
        good = {f"{n}{end}": pack(idx(array)) for n, array in zip(IDX_FILES, arrays)}
    ends, times = collections.Counter(), []
    for i in range(300):
        folder = tmp_path / str(i)
        folder.mkdir()
        for name, content in good.items():
            (folder / name).write_bytes(content)
        spoil(folder / [*good][rng.integers(len(good))], rng, text=False)
        left = there(folder)
        with in_time(times):
            try:
                read = data.load("own", folder)
            except data.DataError as error:
                ends[one_line(error)] += 1
            else:
                same = all(map(np.array_equal, read[:4], arrays))
                assert same or kind == "idx"  # which alone has no checksum
                ends["the examples" if same else "other entries (no checksum)"] += 1
        assert there(folder) == left
    counted(f"hostile {kind} files", ends, times)


def test_hostile_models_are_value_errors_or_the_model(tmp_path, rng, drawn):
    text, model = (
        "CNN((3, 4), bits=Bits(2, 2))",
        CNN((3, 4), num_classes=5, bits=Bits(2, 2)),
    )
    params = drawn(model, np.zeros((1, 12, 12, 1), np.float32))
    path = tmp_path / "model.npz"
    packed_model.save(path, text, model, params["params"], 5, (12, 12, 1))
    good = path.read_bytes()
    with np.load(path) as file:
        arrays = dict(file)
    header = arrays.pop("header").tobytes()
    ends, times = collections.Counter(), []
    for i in range(300):
        remove(path)
        if i % 2:
            path.write_bytes(good)
            spoil(path, rng, text=False)
        else:
            np.savez(
                path, header=np.frombuffer(other_json(header, rng), "u1"), **arrays
            )
        with in_time(times):
            try:
                packed_model.load(path)
                ends["a model"] += 1
            except (ValueError, OSError) as error:
                ends[one_line(error)] += 1
    counted("hostile exported models", ends, times)


STATE = {"params": jnp.arange(40.0), "memory": (jnp.ones((2, 3)), jnp.zeros(0))}


def test_of_damaged_checkpoints_the_newest_whole_one_is_taken(tmp_path, rng):
    """Whoever only looks changes nothing; whoever goes on sets the damaged one aside."""
    store = Checkpoints(tmp_path / "good/checkpoints", print)
    for rounds in (1, 2, 3):
        state = jax.tree.map(lambda leaf, scale=rounds: scale * leaf, STATE)
        store.save(rounds, state, {"of": rounds})
    store.close()
    ends, times = collections.Counter(), []
    for _ in range(200):
        folder = tmp_path / "run"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "good", folder)
        files = [p for p in (folder / "checkpoints/3").rglob("*") if p.is_file()]
        spoil(files[rng.integers(len(files))], rng, text=False)
        left = there(folder)
        for reading in (True, False):
            told = []
            store = Checkpoints(folder / "checkpoints", told.append, reading)
            with in_time(times):
                found = store.restore(STATE)
                store.close()
            assert found, told
            rounds, state, note = found
            assert note == {"of": rounds} and rounds in (2, 3)
            for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(STATE)):
                np.testing.assert_array_equal(a, rounds * b)
            assert len(told) == (rounds == 2) and "\n" not in "".join(told)
            now = there(folder)
            if reading:
                assert now == left
            assert {k: v for k, v in now.items() if not k.startswith("broken")} == {
                k: v
                for k, v in left.items()
                if reading or rounds == 3 or not k.startswith("checkpoints/3")
            }
            assert reading or len(now) == len(left)  # all of it is aside
        ends["harmless" if rounds == 3 else "told, the one before taken"] += 1
    counted("hostile checkpoints", ends, times)


def test_a_hostile_optimum_is_solved_anew_or_the_very_one(tmp_path, rng):
    path, of = (
        tmp_path / "optimum.json",
        {"data": "ab", "task": "classification(l2=0.01)", "model": "MLP((3,))"},
    )
    ends, times = collections.Counter(), []
    for _ in range(300):
        remove(path)
        optimum.kept(path, of, lambda: 0.5)
        good = path.read_bytes()
        way = spoil(path, rng)
        with in_time(times):
            try:
                found = optimum.kept(path, of, lambda: 0.25)
            except OSError as error:
                assert way == "folder", (way, error)
                ends["OSError: a folder is in its place"] += 1
                continue
        told = {0.25: "solved anew", 0.5: "kept"}.get(found, "a number that it holds")
        ends[told] += 1
        assert found != 0.5 or json.loads(path.read_bytes()) == json.loads(good)
    counted("hostile optimum.json", ends, times)


def test_hostile_submissions_are_config_errors_or_whole(tmp_path, rng):
    """Named after what they hold, as whoever may write there would have it."""
    config = default.get_config()
    whole = submitted.Submission("about", "python", "a.py", {"a": config}, {"a": "ab"})
    good = submitted.write(whole, tmp_path).read_bytes()
    ends, times = collections.Counter(), []
    for i in range(300):
        path = tmp_path / f"{i}.json"
        path.write_bytes(good)
        spoil(path, rng)
        if i % 3 and path.is_file():
            text = path.read_bytes()
            path = path.rename(
                tmp_path / f"{hashlib.sha256(text).hexdigest()[:16]}.json"
            )
        with in_time(times):
            try:
                submitted.read(str(path))
                ends["a submission"] += 1
            except ConfigError as error:
                ends[one_line(error)] += 1
    counted("hostile submissions", ends, times)


def quick(seed):
    config = default.get_config()
    options = {
        "seed": seed, "clients": 2, "data": "synthetic(seed=0)", "client": "gradient(batch=10)",
        "rounds": 6, "log.every": 2, "log.checkpoint_every": 2,
    }  # fmt: skip
    config.update_from_flattened_dict(options)
    return config


CONFIGS = {"a": quick(0), "b": quick(1)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder of a sweep of two runs, which have ended."""
    folder = tmp_path_factory.mktemp("runs")
    assert not sweep.run_all(sweep.prepared(CONFIGS, folder))
    return folder


FILES = {
    "config.json": 120,
    "metrics.jsonl": 120,
    "summary.json": 120,
    "checkpoints": 60,
}


@pytest.fixture
def spoilt(runs, tmp_path, rng):
    """(file of run a) -> the copy of a sweep in which it is damaged, and how."""

    def make(file):
        folder = tmp_path / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(runs, folder)
        path = folder / "a" / file
        if file == "checkpoints":
            files = [p for p in (path / "6").rglob("*") if p.is_file()]
            path = files[rng.integers(len(files))]
        return folder, spoil(path, rng, text=file != "checkpoints")

    return make


@pytest.mark.parametrize("file", ["config.json", "metrics.jsonl", "summary.json"])
def test_a_report_has_all_other_runs_and_touches_none(file, spoilt, capsys):
    ends, times, lines = collections.Counter(), [], []
    for _ in range(100):
        folder, way = spoilt(file)
        left = there(folder)
        capsys.readouterr()
        with in_time(times):
            found = results.read(folder)
            groups, rest = grouping.grouped(found), grouping.left_out(folder, found)
            columns = usual(groups, {"test_accuracy": [0.5]})
            report = page.Report("title", groups, columns, rest)
            texts = publish.written(report, ("html", "md", "tex", "csv"))
        said = capsys.readouterr().out.splitlines()
        for name, text in texts.items():
            assert text, (way, name)
        names = {result.name for result in found}
        assert "b" in names and len(said) <= 1
        assert there(folder) == left
        ends[
            "left out, told" if said else "shown" if "a" in names else "not begun"
        ] += 1
        lines += said
    assert all("a is left out: " in line for line in lines)
    with capsys.disabled():
        counted(f"hostile {file} before a report", ends, times)


@pytest.mark.parametrize("file", FILES)
def test_a_sweep_ends_all_other_runs_and_loses_nothing_whole(
    file, spoilt, runs, capsys
):
    ends, times = collections.Counter(), []
    good = there(runs)
    for _ in range(FILES[file]):
        folder, way = spoilt(file)
        left = there(folder)
        shutil.rmtree(folder / "b")  # it is to be run, and comes out as it was
        with in_time(times):
            try:
                failed = sweep.run_all(sweep.prepared(CONFIGS, folder))
            except ConfigError as error:  # a config of another run: nothing begins
                assert file == "config.json", (way, error)
                assert str(folder / "a") in one_line(error) + str(error)
                ends["refused before all, as another run's"] += 1
                failed = None
        now = there(folder)
        if failed is not None:
            assert {*failed} <= {"a"} and now["b/metrics.jsonl"] == good[
                "b/metrics.jsonl"
            ]
            ends["a failed, told" if failed else "a ended"] += 1
        if failed == []:
            # A run that has ended is left as it is; the table and the report tell of it.
            ends_as = good["a/metrics.jsonl"], left.get("a/metrics.jsonl")
            assert now.get("a/metrics.jsonl") in ends_as, way
            assert json.loads(now["a/summary.json"])["round"] == 6
        for name, content in left.items():  # what was whole is where it was
            if name.startswith("a/checkpoints") and file != "checkpoints":
                assert now.get(name) == content, (way, name)
            if failed != [] and name.startswith("a/") and not name.endswith(".lock"):
                assert now.get(name) == content, (way, name)
        assert "Traceback" not in capsys.readouterr().out
    with capsys.disabled():
        counted(f"hostile {file} before a sweep", ends, times)


@pytest.mark.parametrize("file", ["config.json", "checkpoints"])
def test_an_export_is_refused_in_one_line_or_right_and_moves_nothing(
    file, spoilt, tmp_path, capsys
):
    ends, times = collections.Counter(), []
    for _ in range(60):
        folder, way = spoilt(file)
        left = there(folder)
        with in_time(times):
            try:
                export.exported(folder / "a", tmp_path / "out/model.npz", None)
                ends["exported"] += 1
            except (ConfigError, data.DataError, NotThisRuns, OSError) as error:
                ends[one_line(error)] += 1
        assert there(folder) == left, way
    with capsys.disabled():
        counted(f"hostile {file} before an export", ends, times)
