"""Counts what crosses a port: bytes of TCP, and of the bodies of HTTP within them."""

import asyncio
import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

AT_ONCE = 65536
LONGEST_HEAD = 65536
_REQUEST = re.compile(rb"[A-Z]+ (\S+) HTTP/1")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


class Count(NamedTuple):
    """What went over one path, both ways.

    Attributes:
        calls: requests.
        up, down: bytes of TCP, to the server and from it.
        up_body, down_body: those of them in the bodies of requests and answers.
    """

    calls: int = 0
    up: int = 0
    up_body: int = 0
    down: int = 0
    down_body: int = 0

    def plus(self, **more: int) -> "Count":
        """With so many more."""
        return self._replace(**{k: getattr(self, k) + n for k, n in more.items()})


class Stream:
    """One direction of a connection: tells which of its bytes are a message's body.

    What is not HTTP/1, such as TLS, is counted as a head without an end.
    """

    def __init__(self):
        self._head, self._body, self._opaque = b"", 0, False

    def parts(self, data: bytes) -> Iterator[tuple[bytes, int, int]]:
        """(a head that has ended or b"", bytes of heads, bytes of bodies), in order."""
        while data:
            if self._opaque:
                yield b"", len(data), 0
                return
            if self._body:
                part, data = data[: self._body], data[self._body :]
                self._body -= len(part)
                yield b"", 0, len(part)
                continue
            before = len(self._head)
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                self._opaque = len(self._head) > LONGEST_HEAD
                yield b"", len(data), 0
                return
            head, data = self._head[: end + 4], self._head[end + 4 :]
            self._head = b""
            length = _LENGTH.search(head)
            self._body = int(length[1]) if length else 0
            self._opaque = bool(_CHUNKED.search(head))
            yield head, len(head) - before, 0


class Proxy:
    """Listens at a port of this machine and hands all on to another, counting.

    Args:
        host, port: where it listens.
        target: the other port, of 127.0.0.1.

    Attributes:
        counts: path -> `Count`; under "" what came before any request was understood.
        port: where it listens.
    """

    def __init__(self, host: str, port: int, target: int):
        self.counts: dict[str, Count] = {}
        self._host, self.port, self._target = host, port, target
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *exception) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            server = self._loop.run_until_complete(
                asyncio.start_server(self._handle, self._host, self.port)
            )
            self.port = server.sockets[0].getsockname()[1]
        except OSError as error:
            self._failure = error
            return
        finally:
            self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _handle(self, reader, writer) -> None:
        paths: list[str] = []  # of the requests that have no answer so far
        try:
            other = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        up, down = Stream(), Stream()
        with contextlib.suppress(asyncio.CancelledError):  # we end
            await asyncio.gather(
                self._pump(reader, other[1], lambda data: self._asked(up, data, paths)),
                self._pump(
                    other[0], writer, lambda data: self._told(down, data, paths)
                ),
            )

    async def _pump(self, reader, writer, count: Callable[[bytes], None]) -> None:
        try:
            while data := await reader.read(AT_ONCE):
                count(data)
                writer.write(data)
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def _asked(self, stream: Stream, data: bytes, paths: list[str]) -> None:
        for head, heads, body in stream.parts(data):
            calls = 0
            if found := _REQUEST.match(head):
                paths.append(found[1].decode("ascii", "replace").partition("?")[0])
                calls = 1
            path = paths[-1] if paths else ""
            self._add(path, calls=calls, up=heads + body, up_body=body)

    def _told(self, stream: Stream, data: bytes, paths: list[str]) -> None:
        for head, heads, body in stream.parts(data):
            if head and len(paths) > 1:  # the answer to the next one begins
                paths.pop(0)
            path = paths[0] if paths else ""
            self._add(path, down=heads + body, down_body=body)

    def _add(self, path: str, **more: int) -> None:
        self.counts[path] = self.counts.get(path, Count()).plus(**more)
