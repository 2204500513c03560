"""Bytes that cross a port are counted, by path and by what they are of."""

import socket
import threading

from flq_jax.experiments.deployment.proxy import Count, Proxy, Stream

HEAD = b"POST /v1/x HTTP/1.1\r\nContent-Length: 5\r\n\r\n"


def test_a_stream_is_parted_into_heads_and_bodies_however_it_is_cut():
    data = HEAD + b"12345" + b"GET /y HTTP/1.1\r\n\r\n" + HEAD + b"54321"
    for step in (1, 7, 1000):
        stream, heads, sums = Stream(), [], [0, 0]
        for i in range(0, len(data), step):
            for head, of_heads, of_bodies in stream.parts(data[i : i + step]):
                heads += [head] * bool(head)
                sums = [sums[0] + of_heads, sums[1] + of_bodies]
        assert [head.split()[1] for head in heads] == [b"/v1/x", b"/y", b"/v1/x"]
        assert sums == [len(data) - 10, 10]


def test_what_is_no_http_is_counted_as_a_head():
    stream = Stream()
    sums = [
        n for part in (b"\x16\x03" * 50_000, b"\0" * 9) for n in [_sum(stream, part)]
    ]
    assert sums == [(100_000, 0), (9, 0)]


def _sum(stream, data):
    parts = list(stream.parts(data))
    return sum(part[1] for part in parts), sum(part[2] for part in parts)


ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes"


def _answering(server):
    connection, _ = server.accept()
    with connection:
        for _ in range(2):
            got = b""
            while len(got) < len(HEAD) + 5:
                got += connection.recv(1000)
            connection.sendall(ANSWER)


def test_the_proxy_counts_both_ways():
    with socket.create_server(("127.0.0.1", 0)) as server:
        other = threading.Thread(target=_answering, args=(server,), daemon=True)
        other.start()
        with Proxy("127.0.0.1", 0, server.getsockname()[1]) as proxy:
            with socket.create_connection(("127.0.0.1", proxy.port), 10) as client:
                for _ in range(2):
                    client.sendall(HEAD + b"12345")
                    got = b""
                    while len(got) < len(ANSWER):
                        got += client.recv(1000)
            other.join(10)
            found = proxy.counts["/v1/x"]
        assert found == Count(2, 2 * len(HEAD) + 10, 10, 2 * len(ANSWER), 6)
