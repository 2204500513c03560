"""Counting, by hand, under every convention."""

import numpy as np

from flq_jax import ledger
from flq_jax.ledger import Ledger, Links
from flq_jax.quantizers import Layout, identity, one_of, sign

P = 7850
SIGN, FLOATS = Layout.of("sign", 1, P, 1), Layout.of("identity", 32, P, 0, floats=True)
EIGHT = Layout.of("uniform8", 8, P, 2)


def test_totals_are_exact_beyond_what_f32_and_i32_hold():
    big = np.full((3, 2), 2**31 - 1, np.int32)
    big[0, 0] = 0
    huge = Layout.of("huge", 1, 2**31 - 1)
    links = Links(huge, huge)
    more = links, big, np.full(3, 2), np.full(3, 2**31 - 1)
    total = Ledger().add(*more)
    assert total == Ledger(((2**31 - 1, 5),), ((2**31 - 1, 3, 5, 6),))
    assert total.uploads == 5 and total.uplink_bits == 5 * (2**31 - 1)
    assert total.add(*more).uplink_bits == 10 * (2**31 - 1)
    for way, times in zip(ledger.DOWNLINKS, (6, 10, 12), strict=True):
        found = ledger.downlink_bits(total.add(*more), links, "payload", way, 32)
        assert found == times * (2**31 - 1)


def test_messages_of_a_billion_parameters_are_counted_to_the_bit():
    """33 to the message, for a length that is no multiple of the unit."""
    floats = identity().layout(10**9)
    odd = Layout.of("odd", 33, 10**9 + 1)
    links = Links(odd, floats)
    sent = np.array([[odd.length, 0, odd.length]] * 3, np.int32)
    heard = np.full(3, floats.length, np.int32)
    assert odd.unit == floats.unit == 16
    total = Ledger().add(links, sent, np.full(3, 2), heard)
    assert ledger.counted(total, links, "payload", "broadcast_once", 64) == {
        "uplink_bits": 6 * 33 * (10**9 + 1),
        "downlink_bits": 3 * 64 * 10**9,
    }


def test_the_papers_cells_follow_from_its_convention():
    # 9600 uploads in 1000 rounds: 7.54e7 bits up and 6.03e8 down.
    totals = Ledger(((P + 32, 9600),), ((8 * P + 64, 1000, 9600, 10000),))
    links = Links(SIGN, EIGHT, threshold_bits=32)
    found = ledger.counted(totals, links, "laq", "unicast_uploaders", 32)
    assert found == {"uplink_bits": 9600 * P, "downlink_bits": 9600 * 8 * P}
    assert round(found["uplink_bits"] / 1e7, 2) == 7.54
    assert round(found["downlink_bits"] / 1e8, 2) == 6.03


def test_payload_counts_ranges_and_thresholds():
    totals = Ledger(((P + 32, 7),), ((8 * P + 64, 10, 7, 30),))
    links = Links(SIGN, EIGHT, threshold_bits=32)
    once = ledger.counted(totals, links, "payload", "broadcast_once", 32)
    assert once == {"uplink_bits": 7 * (P + 32), "downlink_bits": 10 * (8 * P + 96)}
    everyone = ledger.downlink_bits(totals, links, "payload", "unicast_all", 32)
    assert everyone == 30 * (8 * P + 96)


def test_floats_may_have_64_bits_and_codes_may_not():
    totals = Ledger(((32 * P, 4),), ((32 * P, 2, 4, 4),))
    links = Links(FLOATS, FLOATS)
    wide = ledger.counted(totals, links, "payload", "broadcast_once", 64)
    assert wide == {"uplink_bits": 4 * 64 * P, "downlink_bits": 2 * 64 * P}
    binary = Ledger(((P + 32, 1),))
    assert ledger.uplink_bits(binary, Links(SIGN, EIGHT), "laq", 64) == P


def test_messages_of_several_widths_are_each_counted_as_what_they_are():
    mixed = one_of((sign(), identity())).layout(P)
    sent, heard = np.asarray([[P + 32, 0, 32 * P]] * 2), np.array([P + 32, 32 * P])
    links = Links(mixed, mixed)
    totals = Ledger().add(links, sent, np.full(2, 3), heard)
    assert ledger.uplink_bits(totals, links, "payload", 32) == 2 * (33 * P + 32)
    assert ledger.uplink_bits(totals, links, "laq", 32) == 2 * 33 * P
    assert ledger.uplink_bits(totals, links, "laq", 64) == 2 * 65 * P
    down = ledger.downlink_bits(totals, links, "payload", "broadcast_once", 64)
    assert down == P + 32 + 64 * P
    down = ledger.downlink_bits(totals, links, "laq", "unicast_uploaders", 32)
    assert down == 2 * 33 * P


def test_one_run_is_scored_in_every_way():
    found = ledger.every_convention(
        Ledger(((P + 32, 1),), ((8 * P + 64, 1, 1, 1),)), Links(SIGN, EIGHT)
    )
    assert len(found["uplink"]) == 4 and len(found["downlink"]) == 12
    assert all(type(bits) is int for way in found.values() for bits in way.values())
