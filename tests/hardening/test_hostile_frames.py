"""Frames from an attacker: refused as what they are, at once, and in little memory."""

import collections
import resource
import struct
import time
import tracemalloc
import zlib

import hostile
import numpy as np
import pytest
import test_wire

from flq_jax import wire

pytestmark = pytest.mark.repro

originals = test_wire.originals
FRAMES = 10_000
MOST_SECONDS = 1.0
MOST_BYTES = 2**20  # of one frame of some hundred bytes
FILES = (b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"\x1f\x8b\x08", b"\x80\x04\x95", b"{}")
HUGE = 2**31 - 1, 2**31, 2**32 - 1
HEADER = struct.Struct("<4sBBIIII")


def sealed(body):
    return bytes(body) + struct.pack("<I", zlib.crc32(body))


def frames_of(frames, rng):
    """(kind, bytes, the layout that is expected, the frame that they are made of)."""
    while True:
        frame, layout = frames[rng.integers(len(frames))]
        other, _ = frames[rng.integers(len(frames))]
        yield "damaged", hostile.damaged(frame, rng), layout, frame
        yield "truncated", frame[: rng.integers(len(frame))], layout, frame
        yield "foreign", other, layout, frame
        start = FILES[rng.integers(len(FILES))]
        yield "foreign", start + rng.bytes(rng.integers(200)), layout, frame
        fields = [*HEADER.unpack_from(frame)]
        for place in rng.choice([1, 2, 3, 4, 5, 6], rng.integers(1, 4), replace=False):
            fields[place] = 255 if place < 3 else int(rng.choice(HUGE))
        body = HEADER.pack(*fields) + frame[HEADER.size : -4]
        yield "huge header", sealed(body), layout, frame
        yield "resealed", sealed(hostile.damaged(frame[:-4], rng)), layout, frame


def test_ten_thousand_hostile_frames_are_refused_or_the_very_message(originals):
    frames = [
        (wire.pack(message, layout), layout)
        for *messages, layout in originals.values()
        for message in messages
    ]
    for frame, layout in frames:  # compiled once
        wire.unpack(frame, layout)
    tried, whole, slowest, most = collections.Counter(), 0, 0.0, 0
    hostile_ones = frames_of(frames, np.random.default_rng(17))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    while tried.total() < FRAMES:
        kind, data, layout, frame = next(hostile_ones)
        tried[kind] += 1
        tracemalloc.reset_peak()
        held, begin = tracemalloc.get_traced_memory()[0], time.process_time()
        try:
            message = wire.unpack(data, layout)
        except wire.WireError as error:
            assert data != frame and "\n" not in str(error)
            message = None
        slowest = max(slowest, time.process_time() - begin)
        most = max(most, tracemalloc.get_traced_memory()[1] - held)
        if (
            message is not None
        ):  # what was sealed anew may be another message of its kind
            whole += 1
            assert wire.pack(message, layout) == data
            assert data == frame or kind in ("foreign", "resealed")
    tracemalloc.stop()
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    assert slowest < MOST_SECONDS and most < MOST_BYTES and grown < 2**26
    kinds = ", ".join(f"{count} {kind}" for kind, count in tried.items())
    print(
        f"\n{tried.total()} hostile frames ({kinds}): {tried.total() - whole} WireError, "
        f"{whole} the very message, 0 else; slowest {1e3 * slowest:.1f} ms, most memory "
        f"{most} bytes, the process grew by {grown} bytes"
    )
