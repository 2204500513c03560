"""Counting, by hand, under every convention."""

import numpy as np

from experiments import ledger
from experiments.ledger import Ledger, Links
from flq_jax.quantizers import Layout, identity, one_of, sign

P = 7850
SIGN, FLOATS = Layout.of("sign", 1, P, 1), Layout.of("identity", 32, P, 0, floats=True)
EIGHT = Layout.of("uniform8", 8, P, 2)


def test_totals_are_exact_beyond_what_f32_and_i32_hold():
    big = np.full((3, 2), 2**31 - 1, np.int32)
    big[0, 0] = 0
    total = Ledger().add(big, np.full(3, 2))
    assert total == Ledger(3, 6, ((2**31 - 1, 5),))
    assert total.uploads == 5 and total.uplink_bits == 5 * (2**31 - 1)
    assert total.add(big, np.full(3, 2)).uplink_bits == 10 * (2**31 - 1)


def test_the_papers_cells_follow_from_its_convention():
    # 9600 uploads in 1000 rounds: 7.54e7 bits up and 6.03e8 down.
    totals = Ledger(1000, 10000, ((P + 32, 9600),))
    links = Links(SIGN, EIGHT, threshold_bits=32)
    found = ledger.counted(totals, links, "laq", "unicast_uploaders", 32)
    assert found == {"uplink_bits": 9600 * P, "downlink_bits": 9600 * 8 * P}
    assert round(found["uplink_bits"] / 1e7, 2) == 7.54
    assert round(found["downlink_bits"] / 1e8, 2) == 6.03


def test_payload_counts_ranges_and_thresholds():
    totals = Ledger(10, 30, ((P + 32, 7),))
    links = Links(SIGN, EIGHT, threshold_bits=32)
    once = ledger.counted(totals, links, "payload", "broadcast_once", 32)
    assert once == {"uplink_bits": 7 * (P + 32), "downlink_bits": 10 * (8 * P + 96)}
    everyone = ledger.downlink_bits(totals, links, "payload", "unicast_all", 32)
    assert everyone == 30 * (8 * P + 96)


def test_floats_may_have_64_bits_and_codes_may_not():
    totals = Ledger(2, 4, ((32 * P, 4),))
    links = Links(FLOATS, FLOATS)
    wide = ledger.counted(totals, links, "payload", "broadcast_once", 64)
    assert wide == {"uplink_bits": 4 * 64 * P, "downlink_bits": 2 * 64 * P}
    binary = Ledger(1, 1, ((P + 32, 1),))
    assert ledger.uplink_bits(binary, Links(SIGN, EIGHT), "laq", 64) == P


def test_messages_of_several_widths_are_each_counted_as_what_they_are():
    mixed = one_of((sign(), identity())).layout(P)
    totals = Ledger().add(np.asarray([[P + 32, 0, 32 * P]] * 2), np.full(2, 3))
    links = Links(mixed, EIGHT)
    assert ledger.uplink_bits(totals, links, "payload", 32) == 2 * (33 * P + 32)
    assert ledger.uplink_bits(totals, links, "laq", 32) == 2 * 33 * P
    assert ledger.uplink_bits(totals, links, "laq", 64) == 2 * 65 * P


def test_one_run_is_scored_in_every_way():
    found = ledger.every_convention(Ledger(1, 1, ((P + 32, 1),)), Links(SIGN, EIGHT))
    assert len(found["uplink"]) == 4 and len(found["downlink"]) == 12
    assert all(type(bits) is int for way in found.values() for bits in way.values())
