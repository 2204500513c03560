"""Files of a folder or a tar archive: whole, by name, and nothing is written."""

import io
import os
import tarfile

import hostile
import numpy as np
import pytest

from flq_jax.data import DataError, archives
from flq_jax.data.archives import read_all, read_members, read_named, unpacked

FILES = {"a.bin": b"first" * 300, "b.bin": b"second"}


def tar(path, files=FILES, mode="w:gz", change=lambda info: info, folder="inner/"):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{folder}{name}")
            info.size = len(content)
            archive.addfile(change(info), io.BytesIO(content))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_members_are_read_by_name_however_they_are_packed(mode, tmp_path):
    path = tar(tmp_path / "a.tar", mode=mode)
    assert read_members(path, FILES.__contains__) == FILES
    assert read_members(path, "b.bin".__eq__) == {"b.bin": b"second"}


def test_a_folder_comes_before_the_archive_and_a_missing_file_is_named(tmp_path):
    path = tar(tmp_path / "a.tar.gz")
    inner = tmp_path / "inner"
    assert read_all([tmp_path, inner], path, FILES) == FILES
    inner.mkdir()
    (inner / "a.bin").write_bytes(b"own")
    assert read_all([tmp_path, inner], path, ["a.bin"]) == {"a.bin": b"own"}
    with pytest.raises(DataError, match=f"{inner}/b.bin: must be a readable file"):
        read_all([tmp_path, inner], path, FILES)
    assert read_all([tmp_path], tmp_path / "none", FILES) is None
    with pytest.raises(DataError, match="must hold c.bin, got none"):
        read_all([tmp_path], path, [*FILES, "c.bin"])


def linked(info):
    info.type, info.linkname, info.size = tarfile.SYMTYPE, "/etc/passwd", 0
    return info


def test_a_path_out_of_the_folder_writes_nothing_and_a_link_is_no_file(tmp_path):
    path = tar(tmp_path / "a.tar", folder="../../")
    assert read_members(path, FILES.__contains__) == FILES
    assert os.listdir(tmp_path) == ["a.tar"]
    path = tar(tmp_path / "b.tar", change=linked)
    assert read_members(path, FILES.__contains__) == {}


def test_a_member_that_promises_more_than_the_machine_holds_is_not_read(
    tmp_path, monkeypatch
):
    info = tarfile.TarInfo("a.bin")
    info.size = 2**33
    path = tmp_path / "a.tar"
    path.write_bytes(info.tobuf() + b"a few bytes" * 100)
    with pytest.raises(DataError, match="must be an intact tar archive"):
        read_members(path, FILES.__contains__)
    monkeypatch.setattr("os.sysconf", {"SC_PAGE_SIZE": 10, "SC_PHYS_PAGES": 10}.get)
    with pytest.raises(
        DataError, match="its files: must fit in this machine's 100 bytes"
    ):
        read_members(path, FILES.__contains__)
    with pytest.raises(DataError, match="must fit in this machine's 100 bytes"):
        read_named(path)


def test_two_files_of_one_name_and_too_many_members_are_refused(tmp_path, monkeypatch):
    path = tar(tmp_path / "a.tar", {"a.bin": b"1", "more/a.bin": b"2"})
    with pytest.raises(DataError, match="got two files called a.bin"):
        read_members(path, FILES.__contains__)
    monkeypatch.setattr(archives, "MOST_MEMBERS", 1)
    with pytest.raises(DataError, match="got more than 1 members"):
        read_members(tar(tmp_path / "b.tar"), FILES.__contains__)


@pytest.mark.parametrize("content", [b"", b"no archive" * 100, b"\x1f\x8b\x08"])
def test_what_is_no_archive_is_named_in_a_line(content, tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"{path}: must be an intact tar archive, got"):
        read_members(path, FILES.__contains__)


@pytest.mark.parametrize("count", [200, pytest.param(4_000, marks=pytest.mark.repro)])
def test_damaged_archives_are_data_errors_or_read(count, tmp_path):
    rng = np.random.default_rng(0)
    good = [tar(tmp_path / mode, mode=mode).read_bytes() for mode in ("w", "w:gz")]
    path = tmp_path / "a.tar"
    for i in range(count):
        path.write_bytes(hostile.damaged(good[i % 2], rng))
        try:
            files = read_members(path, FILES.__contains__)
        except DataError as error:
            assert "\n" not in str(error)
        else:
            assert set(files) <= set(FILES)


def test_files_are_unpacked_whole_or_not_at_all(tmp_path):
    whole, cut = tar(tmp_path / "a.tar", mode="w"), tmp_path / "b.tar"
    into = tmp_path / "into"
    cut.write_bytes(whole.read_bytes()[:1000])  # in the middle of a.bin
    for path, names in (cut, ["a.bin"]), (whole, ["a.bin", "c.bin"]):
        with pytest.raises(DataError, match=f"must be unpacked to {into}, got"):
            unpacked(path, names, into)
    assert os.listdir(into) == ["a.bin"]  # of the whole archive
    assert unpacked(whole, FILES, into) == into
    assert sorted(os.listdir(into)) == ["a.bin", "b.bin"]
    assert (into / "a.bin").read_bytes() == FILES["a.bin"]
    whole.unlink()  # which is looked at no more
    assert unpacked(whole, FILES, into) == into
