"""The same estimates in fewer bits, and frames of just as many."""

import importlib.util

import jax
import numpy as np
import pytest

from flq_jax import ledger, wire
from flq_jax.compressors import error_feedback, innovation, lazy
from flq_jax.ledger import Ledger, Links
from flq_jax.quantizers import (
    Layout,
    bucketed,
    entropy_coded,
    geometric,
    identity,
    natural,
    one_of,
    rand_k,
    rotated,
    segmented,
    sign,
    stochastic,
    terngrad,
    uniform,
    warm_up,
)
from flq_jax.testing import Claims, check_compressor, check_quantizer

needs_constriction = pytest.mark.skipif(
    importlib.util.find_spec("constriction") is None,
    reason="the extra flq_jax[entropy] is not installed",
)


@needs_constriction
@pytest.mark.parametrize(
    "quantizer, sizes",
    [
        (stochastic(1), (1, 37)),
        (uniform(3, geometric(4.0, 0.5)), (37,)),
        (segmented(uniform(3), (3, 37)), (40,)),
    ],
)
def test_it_keeps_the_contract(quantizer, sizes):
    claims = Claims(zero=quantizer.schedule is None)
    check_quantizer(entropy_coded(quantizer), claims, sizes=sizes)


@needs_constriction
@pytest.mark.parametrize(
    "link",
    [
        lazy(innovation(entropy_coded(uniform(4)))),
        error_feedback(entropy_coded(terngrad(float("inf")))),
    ],
)
def test_both_ends_stay_together(link):
    check_compressor(link)


@needs_constriction
@pytest.mark.parametrize(
    "quantizer, most",
    [
        # QSGD sends few values that are not 0: sqrt(d) of them about, with one level.
        (stochastic(1), 0.15),
        (stochastic(7), 0.55),
        (terngrad(), 0.9),
        (uniform(4), 0.9),
        (natural(), 0.5),
    ],
)
def test_a_frame_has_the_bits_that_were_counted_and_few_more_than_the_entropy(
    quantizer, most, key
):
    d = 5000
    x = np.random.default_rng(0).standard_normal(d, np.float32)
    coded = entropy_coded(quantizer)
    plain = jax.tree.map(np.asarray, jax.jit(quantizer.encode)(key, x))
    sent = jax.tree.map(np.asarray, jax.jit(coded.encode)(jax.random.clone(key), x))
    np.testing.assert_array_equal(sent.codes, plain.codes)
    frame = wire.pack(sent, coded.layout(d))
    assert len(frame) - wire.OVERHEAD_BYTES == -(-int(sent.num_bits) // 8)
    received = wire.unpack(frame, coded.layout(d))
    np.testing.assert_array_equal(received.codes, plain.codes)
    np.testing.assert_array_equal(received.side, plain.side)
    assert sent.num_bits < most * plain.num_bits
    counts = np.bincount(plain.codes)
    ideal = np.sum(counts[counts > 0] * np.log2(d / counts[counts > 0]))
    # Beside the entropy: the side, ten bits for each of the symbols' counts, and 2 %.
    symbols = 2 ** quantizer.layout(d).widest
    assert sent.num_bits <= 1.02 * ideal + 32 * plain.side.size + 10 * symbols


def test_signs_that_are_even_cost_one_bit_more(key):
    x = np.random.default_rng(0).standard_normal(1000, np.float32)
    sent = jax.jit(entropy_coded(sign()).encode)(key, x)
    assert int(sent.num_bits) == 1000 + 32 + 1
    frame = wire.pack(
        jax.tree.map(np.asarray, sent), entropy_coded(sign()).layout(1000)
    )
    assert len(frame) == wire.OVERHEAD_BYTES + 130


def test_the_longest_message_is_as_it_was_and_a_bit_for_each_group():
    layout = entropy_coded(segmented(uniform(3), (3, 37))).layout(40)
    assert layout.num_bits == 3 * 40 + 2 * 32 + 1
    assert layout.of_length(64) is None and layout.of_length(65) is layout
    assert layout.of_length(185) is layout and layout.of_length(186) is None


def test_each_message_is_counted_at_its_own_length():
    coded = entropy_coded(uniform(3)).layout(40)
    links = Links(coded, coded)
    sent, heard = np.int32([[60, 0], [70, 60]]), np.int32([80, 90])
    total = Ledger().add(links, sent, np.int32([2, 2]), heard)
    assert total.lengths == ((60, 2), (70, 1)) and total.uplink_bits == 190
    payload = ledger.counted(total, links, "payload", "broadcast_once", 32)
    assert payload == {"uplink_bits": 190, "downlink_bits": 170}
    codes = ledger.counted(total, links, "laq", "broadcast_once", 32)
    assert codes == {"uplink_bits": 190 - 3 * 32, "downlink_bits": 170 - 2 * 32}


@needs_constriction
def test_a_frame_of_other_bits_than_its_codes_have_is_refused(key):
    coded, d = entropy_coded(stochastic(1)), 500
    x = np.random.default_rng(0).standard_normal(d, np.float32)
    sent = jax.tree.map(np.asarray, jax.jit(coded.encode)(key, x))
    layout, length = coded.layout(d), int(sent.num_bits)
    for wrong, match in (
        (length - 30, "coding: "),
        (32, r"num_bits must be 0 or in 33\.\.1033, got 32"),
        (layout.num_bits + 1, "num_bits must be 0 or"),
    ):
        with pytest.raises(wire.WireError, match=match):
            wire.pack(sent._replace(num_bits=np.int32(wrong)), layout)


@needs_constriction
def test_damaged_frames_are_refused_or_whole(key):
    """The check is made anew, as an attacker would."""
    import struct
    import zlib

    coded, d = entropy_coded(stochastic(1)), 500
    x = np.random.default_rng(0).standard_normal(d, np.float32)
    sent = jax.tree.map(np.asarray, jax.jit(coded.encode)(key, x))
    layout, rng = coded.layout(d), np.random.default_rng(1)
    frame = wire.pack(sent, layout)
    for _ in range(500):
        body = bytearray(frame[:-4])
        for place in rng.integers(18, len(body), 2):
            body[place] ^= 1 << rng.integers(8)
        damaged = bytes(body) + struct.pack("<I", zlib.crc32(body))
        try:
            message = wire.unpack(damaged, layout)
        except wire.WireError as error:
            assert "\n" not in str(error)
        else:
            assert wire.pack(message, layout) == damaged


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: entropy_coded(warm_up(sign(), 3)), "no choice or warm-up"),
        (lambda: entropy_coded(one_of((sign(), uniform(2)))), "no choice"),
        (lambda: entropy_coded(identity()).layout(5), "12 bits or fewer"),
        (lambda: entropy_coded(rand_k(2, 5)).layout(5), "12 bits or fewer"),
        (lambda: entropy_coded(entropy_coded(sign())).layout(5), "coded already"),
        (lambda: entropy_coded(sign()).layout(2**31), r"shorter than 2\*\*31 bits"),
        (lambda: segmented(entropy_coded(sign()), (2, 3)), "code the whole"),
        (lambda: bucketed(entropy_coded(sign()), 8), "code the whole"),
        (lambda: rotated(entropy_coded(sign())), "code the whole"),
        (lambda: one_of((entropy_coded(sign()), uniform(2))).layout(5), "lengths tell"),
    ],
)
def test_what_makes_no_sense_says_why(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_other_layouts_are_what_they_were():
    """Messages of a fixed length are told by it alone, as before."""
    layout = Layout.of("any", 3, 40, 1)
    assert layout.lengths == (152,) and layout.of_length(151) is None
    assert layout.of_length(152) is layout
