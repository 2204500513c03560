"""The exact count of what was sent, under every convention the papers use."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from flq_jax.quantizers import Layout

COUNTS = ("payload", "laq")
DOWNLINKS = ("broadcast_once", "unicast_uploaders", "unicast_all")
FLOAT_BITS = (32, 64)


class Ledger(NamedTuple):
    """Totals since the first round, Python integers that never round or wrap.

    Attributes:
        lengths: pairs (bits, uploads): how many messages of each length were sent,
            the lost ones too.
        broadcasts: (bits, rounds, uploads, listens): how many broadcasts of each
            length there were, messages that came back, and clients that heard one.
    """

    lengths: tuple[tuple[int, int], ...] = ()
    broadcasts: tuple[tuple[int, int, int, int], ...] = ()

    @property
    def uploads(self) -> int:
        """Messages that were sent."""
        return sum(uploads for _, uploads in self.lengths)

    @property
    def uplink_bits(self) -> int:
        """Bits of all messages that were sent."""
        return sum(bits * uploads for bits, uploads in self.lengths)

    def add(
        self,
        links: "Links",
        uplink_bits: np.ndarray,
        listeners: np.ndarray,
        downlink_bits: np.ndarray,
    ) -> "Ledger":
        """The ledger after further rounds.

        Args:
            links: the messages' layouts, which tell the bits that a `num_bits` stands for.
            uplink_bits: of each round's and client's message its `num_bits`, i32[t, m],
                0 for silence.
            listeners: clients that heard each round's broadcast, i32[t].
            downlink_bits: its `num_bits`, i32[t].
        """
        sent = np.asarray(uplink_bits)
        found = zip(*np.unique(sent[sent > 0], return_counts=True), strict=True)
        lengths = ((links.uplink.bits_of(length), count) for length, count in found)
        uploads = np.count_nonzero(sent, axis=1)
        broadcasts = (
            (
                links.downlink.bits_of(length),
                np.count_nonzero(downlink_bits == length),
                np.sum(uploads[downlink_bits == length]),
                np.sum(listeners[downlink_bits == length], dtype=np.int64),
            )
            for length in np.unique(downlink_bits)
        )
        return Ledger(
            _merged(self.lengths, lengths), _merged(self.broadcasts, broadcasts)
        )


def _merged(*counts: Iterable[tuple]) -> tuple[tuple[Any, ...], ...]:
    """(length, counts ...) of all, the counts of equal lengths added up."""
    totals = {}
    for length, *more in (line for lines in counts for line in lines):
        so_far = totals.get(int(length), [0] * len(more))
        totals[int(length)] = [a + int(b) for a, b in zip(so_far, more, strict=True)]
    return tuple((length, *total) for length, total in sorted(totals.items()))


class Links(NamedTuple):
    """What one message holds: enough to count a ledger in any convention.

    Attributes:
        uplink: layout of a client's message.
        downlink: layout of a broadcast.
        threshold_bits: what lazy clients need beside the model, 32 where they cannot
            compute it from two broadcasts, since those are quantized or one of them may
            not have been heard; otherwise 0.
    """

    uplink: Layout
    downlink: Layout
    threshold_bits: int = 0


def uplink_bits(ledger: Ledger, links: Links, count: str, float_bits: int) -> int:
    """Bits from the clients to the server.

    Args:
        ledger: the totals.
        links: the messages' layouts.
        count: "payload", the messages' own bits; "laq", the codes alone, as
            Sun et al. (2019) and Feng, Ning et al. (2023) count.
        float_bits: how many bits an uncompressed float has, 32 or 64.
    """
    total = 0
    for bits, uploads in ledger.lengths:
        layout = _layout_of(links.uplink, bits)
        sides = 32 * layout.num_sides if count == "laq" else 0
        total += uploads * (bits - sides) * _widening(layout, float_bits)
    return total


def downlink_bits(
    ledger: Ledger, links: Links, count: str, downlink: str, float_bits: int
) -> int:
    """Bits from the server to the clients.

    Args:
        ledger: the totals.
        links: the messages' layouts.
        count: see `uplink_bits`.
        downlink: "broadcast_once", one transmission a round; "unicast_uploaders", one
            for each message that comes back, as Feng, Ning et al.'s table (2023);
            "unicast_all", one for each client that hears it.
        float_bits: how many bits an uncompressed float has, 32 or 64.
    """
    total = 0
    for bits, *times in ledger.broadcasts:
        layout = _layout_of(links.downlink, bits)
        bits += -32 * layout.num_sides if count == "laq" else links.threshold_bits
        charged = times[DOWNLINKS.index(downlink)]
        total += charged * bits * _widening(layout, float_bits)
    return total


def counted(
    ledger: Ledger, links: Links, count: str, downlink: str, float_bits: int
) -> dict[str, int]:
    """Both links' bits under one convention, named as in the metrics file."""
    return {
        "uplink_bits": uplink_bits(ledger, links, count, float_bits),
        "downlink_bits": downlink_bits(ledger, links, count, downlink, float_bits),
    }


def every_convention(ledger: Ledger, links: Links) -> dict[str, dict[str, int]]:
    """The same run counted in all the ways: {"uplink": {...}, "downlink": {...}}."""
    return {
        "uplink": {
            f"{count}/{bits}": uplink_bits(ledger, links, count, bits)
            for count in COUNTS
            for bits in FLOAT_BITS
        },
        "downlink": {
            f"{count}/{way}/{bits}": downlink_bits(ledger, links, count, way, bits)
            for count in COUNTS
            for way in DOWNLINKS
            for bits in FLOAT_BITS
        },
    }


def _layout_of(layout: Layout, bits: int) -> Layout:
    """The option of that many bits; the layout itself if it has none."""
    return next((each for each in layout.options if each.num_bits == bits), layout)


def _widening(layout: Layout, float_bits: int) -> int:
    return float_bits // 32 if layout.floats else 1
