"""A file is fetched once, whole and unchanged, or told in a line and left out."""

import functools
import hashlib
import http.server
import os
import socket
import sys
import threading

import pytest

from flq_jax.data import (
    DataError,
    cifar10,
    cifar100,
    fashion_mnist,
    femnist,
    fetching,
    image_folder,
    leaf,
    shakespeare,
    tff,
)
from flq_jax.data.fetching import Source, cached, place

pytest.importorskip("pooch")
pytest.importorskip("tqdm")

CONTENT = bytes(range(256)) * 300
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends `body` under the length of CONTENT, and notes what it was asked for."""

    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.body, server.status = [], CONTENT, 200
        thread = threading.Thread(
            target=functools.partial(server.serve_forever, poll_interval=0.01)
        )
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """No proxy stands between, and the user's own cache is left alone."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "flq_jax/data"


def source(server, **changes):
    url = f"http://127.0.0.1:{server.server_port}/file.bin"
    return Source("file.bin", len(CONTENT), SHA256, url)._replace(**changes)


def test_a_file_is_fetched_once(server, cache, capsys):
    for _ in range(2):
        path = cached("own", source(server))
        assert path.read_bytes() == CONTENT
    assert path == cache / "file.bin"
    assert server.asked == ["/file.bin"]
    assert "100%" in capsys.readouterr().err  # the progress bar


def refused(server, cache, **changes):
    """The message, of one line, after which the cache holds no file."""
    with pytest.raises(DataError) as error:
        cached("own", source(server, **changes))
    message = str(error.value)
    assert "\n" not in message and len(message) < 700
    assert (
        f"own: file.bin (76,800 bytes, SHA-256 {SHA256}) must be in {cache}" in message
    )
    assert not cache.exists() or not list(cache.iterdir())
    return message


@pytest.mark.parametrize("body", [CONTENT[:-1], b""], ids=["a byte short", "nothing"])
def test_a_file_that_breaks_off_leaves_nothing(server, cache, body):
    server.body = body
    assert "be fetched from http://127.0.0.1" in refused(server, cache)
    server.body = CONTENT
    assert cached("own", source(server)).read_bytes() == CONTENT


def test_a_file_that_was_tampered_with_leaves_nothing(server, cache):
    server.body = CONTENT[:-1] + b"\0"
    came = hashlib.sha256(server.body).hexdigest()
    assert "SHA256 hash of downloaded file" in refused(server, cache)
    assert came != SHA256


def test_a_file_that_the_server_lacks_is_told(server, cache):
    server.status = 404
    assert "404" in refused(server, cache)


def test_offline_a_line_says_which_file_to_put_where(server, cache):
    with socket.socket() as nobody:  # listens there
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/file.bin"
        assert "refused" in refused(server, cache, url=url)


def test_a_file_put_there_by_hand_is_not_asked_for(server, cache):
    cache.mkdir(parents=True)
    (cache / "file.bin").write_bytes(CONTENT)
    assert cached("own", source(server)).read_bytes() == CONTENT
    assert not server.asked


def test_a_damaged_file_of_the_cache_is_fetched_anew(server, cache):
    cache.mkdir(parents=True)
    (cache / "file.bin").write_bytes(CONTENT[:-1])
    assert cached("own", source(server)).read_bytes() == CONTENT
    assert server.asked == ["/file.bin"]


def test_what_has_no_address_is_got_by_hand_and_held_to_its_hash(server, cache):
    by_hand = {"url": "", "by_hand": "pip download own -d"}
    told = f"where `pip download own -d {cache}` puts it, got no such file"
    assert told in refused(server, cache, **by_hand)
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / "file.bin"
    path.write_bytes(CONTENT)
    assert cached("own", source(server, **by_hand)) == path
    path.write_bytes(b"other")
    with pytest.raises(DataError, match="got a file of SHA-256 d9298a10"):
        cached("own", source(server, **by_hand))
    assert not server.asked


def test_without_pooch_a_line_says_what_to_install(server, cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(DataError, match=r"own\(folder\).*`pip install pooch tqdm`"):
        cached("own", source(server))


def test_a_given_folder_comes_first_and_then_the_system_s(server, cache, tmp_path):
    system = tmp_path / "system"
    given = tmp_path / "given"  # which need not be there: whoever reads says so
    assert place("own", given, [source(server)], str(system)) == given
    inner = source(server, file="inner/file.bin")
    assert place("own", "", [inner], str(system)) == cache / "inner"
    assert (cache / "inner/file.bin").read_bytes() == CONTENT
    system.mkdir()
    assert place("own", "", [source(server)], str(system)) == system


@pytest.mark.parametrize(
    "read",
    [cifar10, cifar100, fashion_mnist, femnist, image_folder, leaf, shakespeare, tff],
)
@pytest.mark.parametrize("folder", [0, None, b"folder"])
def test_a_folder_that_is_no_path_is_refused(read, folder):
    with pytest.raises(
        DataError, match=f"{read.__name__}: must be the path of files, got"
    ):
        read(folder)


def test_several_processes_may_fetch_at_once(server, cache):
    threads = [
        threading.Thread(target=cached, args=("own", source(server))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in cache.iterdir()] == ["file.bin"]
    assert (cache / "file.bin").read_bytes() == CONTENT


def test_a_server_that_says_nothing_is_given_up(server, cache, monkeypatch):
    monkeypatch.setattr(fetching, "SECONDS", 0.2)
    monkeypatch.setattr(Handler, "do_GET", lambda self: threading.Event().wait(1.0))
    assert "timed out" in refused(server, cache)


def test_what_is_there_takes_no_pooch(server, cache, monkeypatch):
    """It was fetched, or put there by hand, once; another file of its name is not it."""
    monkeypatch.setitem(sys.modules, "pooch", None)
    source = Source("own.bin", len(CONTENT), SHA256, "http://127.0.0.1:1/own.bin")
    folder = fetching.cache_folder()
    folder.mkdir(parents=True)
    (folder / "own.bin").write_bytes(CONTENT)
    assert cached("own", source) == folder / "own.bin" and not server.asked
    (folder / "own.bin").write_bytes(CONTENT[1:])
    with pytest.raises(DataError, match="`pip install pooch tqdm`"):
        cached("own", source)
