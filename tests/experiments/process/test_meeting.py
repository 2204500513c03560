"""Processes meet over loopback, or each hears why they can't."""

import contextlib
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from flq_jax.experiments.process import meeting
from flq_jax.experiments.process.address import Address
from flq_jax.experiments.process.errors import ConfigError


@pytest.fixture
def where():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return Address("localhost", free.getsockname()[1])


def met(where, *processes, wait_s=10.0):
    """What each (number of processes, index) says: empty where they have met."""

    def one(process):
        try:
            meeting.meet(where, *process, wait_s=wait_s)
        except ConfigError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(len(processes)) as pool:
        return list(pool.map(one, processes))


@contextlib.contextmanager
def connected(where):
    """A connection to the first process, as soon as it listens."""
    deadline = time.monotonic() + 10
    while True:
        try:
            connection = socket.create_connection(where)
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    with connection:
        yield connection


def test_all_go_on_when_all_are_there_and_the_port_is_free_again(where):
    for _ in range(2):
        assert met(where, (3, 2), (3, 0), (3, 1)) == ["", "", ""]
    assert met(where, (1, 0)) == [""]


def test_two_of_one_index_are_told_to_all(where):
    told = met(where, (4, 0), (4, 1), (4, 1))
    assert told == [f"--coordinator={where}: two processes have --process=1"] * 3


def test_several_numbers_of_processes_are_told_to_all(where):
    first, other = met(where, (2, 0), (3, 1))
    assert first == other and first.endswith(
        "--processes must be the same for all, got 2 of --process=0 and 3 of --process=1"
    )


def test_who_has_not_come_is_told_to_all_in_time(where):
    begin = time.monotonic()
    first, other = met(where, (3, 0), (3, 1), wait_s=0.7)
    assert first.endswith(": --process=2 has not come in 0.7 s")
    assert other == first
    assert time.monotonic() - begin < 5
    (alone,) = met(where, (2, 1), wait_s=0.3)
    assert "--process=0 has not answered in 0.3 s (Connection refused)" in alone


def test_a_port_in_use_is_told(where):
    with socket.create_server(("127.0.0.1", where.port)):
        (told,) = met(where, (2, 0))
    assert "--process=0 can't listen there: Address already in use" in told


def test_loopback_is_all_that_it_listens_at(where):
    with meeting._listening(where) as listening:
        assert listening.getsockname()[0] in ("127.0.0.1", "::1")


@pytest.mark.parametrize(
    "text",
    [
        b"", b"GET / HTTP/1.1\r\n", b"\0" * 9000, b"[" * 4000 + b"\n", b"{}\n", b"3\n",
        b'{"program": "flq_jax", "process": 0, "processes": 2}\n',
        b'{"program": "flq_jax", "process": "1", "processes": 2}\n',
        b'{"program": "flq_jax", "process": null, "processes": 2}\n',
        b'{"program": "flq_jax", "process": 1, "processes": [2]}\n',
    ],
)  # fmt: skip
def test_who_is_no_process_of_ours_is_let_go(text, where):
    def disturb():
        with connected(where) as connection:
            connection.sendall(text)
        disturbed.set()

    disturbed = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        pool.submit(disturb)
        first = pool.submit(met, where, (2, 0))
        assert disturbed.wait(10)
        assert met(where, (2, 1)) == [""] and first.result() == [""]


def test_one_that_ended_while_it_waited_may_come_again(where):
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(met, where, (3, 0))
        with connected(where) as connection:
            me = {"program": meeting.PROGRAM, "process": 1, "processes": 3}
            connection.sendall(json.dumps(me).encode() + b"\n")
        assert met(where, (3, 1), (3, 2)) == ["", ""] and first.result() == [""]


def test_one_that_ended_may_come_again_before_its_end_was_seen(where):
    """Both wait in the queue of connections, the first of them already closed."""
    me = {"program": meeting.PROGRAM, "process": 1, "processes": 2}
    line = json.dumps(me).encode() + b"\n"
    with meeting._listening(where) as listening, contextlib.ExitStack() as opened:
        others = meeting._Others(where, 2, opened)
        with connected(where) as ended:
            ended.sendall(line)
            others.receive(listening)
        with connected(where) as again:
            again.sendall(line)
            others.receive(listening)
            assert others.absent() == 0
        assert others.absent() == 1


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"\0\n", b"[]\n"])
def test_who_answers_as_another_program_does_is_told(answer, where):
    def serve():
        with socket.create_server(where) as listening:
            ready.set()
            connection, _ = listening.accept()
            with connection:
                connection.recv(meeting.LONGEST)
                connection.sendall(answer)

    ready = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(serve)
        assert ready.wait(10)
        (told,) = met(where, (2, 1))
    assert "no process of this simulation" in told


def test_it_is_told_who_is_waited_for(where, monkeypatch, capsys):
    monkeypatch.setattr(meeting, "TELL_S", 0.1)
    met(where, (2, 0), wait_s=0.5)
    assert f"waiting for --process=1 at {where}, at most 0 s" in capsys.readouterr().out
