"""Streams of bits hold every field where the docstring says, and give back all codes."""

import functools

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax import bitstream


def _codes(runs, seed=0):
    rng = np.random.default_rng(seed)
    parts = [rng.integers(0, 2**b, n, dtype=np.uint64) for b, n in runs]
    dtype = np.uint8 if all(b <= 8 for b, _ in runs) else np.uint32
    return np.concatenate(parts).astype(dtype)


def _stream(codes, runs):
    """The stream as one Python integer, field by field, of runs that do not merge."""
    total = end = first = 0
    for bits, count in runs:
        part = [int(code) for code in codes[first : first + count]]
        first, low = first + count, 0
        for size in (32, 16, 8, 4, 2, 1):
            if bits & size:
                for code in part:
                    total |= (code >> low) % 2**size << end
                    end += size
                low += size
    return total.to_bytes(-(-end // 8), "little")


def _there_and_back(all_runs):
    """One function of codes for each of the runs: their streams, and these unpacked."""

    def both(codes):
        streams = [*map(bitstream.pack, codes, all_runs)]
        return streams, [*map(bitstream.unpack, streams, all_runs)]

    return both


WIDTHS = range(1, 9)


@pytest.mark.parametrize("count", [5, 67])
def test_vmap_is_a_loop(count):
    all_runs = [((bits, count),) for bits in WIDTHS]
    codes = [np.stack([_codes(runs, seed) for seed in range(3)]) for runs in all_runs]
    found = jax.jit(jax.vmap(_there_and_back(all_runs)))(codes)
    for runs, rows, streams, back in zip(all_runs, codes, *found, strict=True):
        assert streams.dtype == np.uint8
        assert streams.shape == (3, bitstream.num_bytes(runs))
        wanted = [_stream(row, runs) for row in rows]
        assert [bytes(stream) for stream in np.asarray(streams)] == wanted, runs
        assert back.dtype == np.uint8
        assert np.array_equal(back, rows), runs


def test_eager_is_jit():
    runs = ((3, 5),)
    codes = _codes(runs)
    (stream,), (back,) = jax.jit(_there_and_back([runs]))([codes])
    assert bytes(np.asarray(stream)) == _stream(codes, runs)
    assert np.array_equal(back, codes)
    assert np.array_equal(bitstream.pack(jnp.asarray(codes), runs), stream)
    assert np.array_equal(bitstream.unpack(stream, runs), codes)


def test_long_runs_are_packed_as_short_ones_are():
    all_sizes = [(), (1,), (4, 1), (8, 4, 1)]
    all_runs = [((sum(sizes), 2**14 + 77),) for sizes in all_sizes]
    codes = [np.stack([_codes(runs, seed) for seed in range(2)]) for runs in all_runs]
    found = jax.jit(jax.vmap(_there_and_back(all_runs)))(codes)
    for sizes, rows, streams, back in zip(all_sizes, codes, *found, strict=True):
        fields = [rows >> sum(sizes[:i]) for i in range(len(sizes))]
        bits = [
            (field[..., None] >> np.arange(size) & 1).astype(bool).reshape(2, -1)
            for field, size in zip(fields, sizes)
        ]
        whole = np.concatenate([np.zeros((2, 0), bool), *bits], 1)
        wanted = np.packbits(whole, axis=1, bitorder="little")
        np.testing.assert_array_equal(streams, wanted, err_msg=str(sizes))
        np.testing.assert_array_equal(back, rows, err_msg=str(sizes))


@hypothesis.settings(max_examples=15, deadline=None, derandomize=True)
@hypothesis.given(
    runs=st.lists(
        st.tuples(st.integers(0, 32), st.integers(1, 40)),
        max_size=2,
        unique_by=lambda run: run[0],
    ).map(lambda runs: ((3, 2), *(run for run in runs if run[0] != 3))),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_runs_stand_field_by_field_and_come_back(runs, seed):
    codes = _codes(runs, seed)
    (stream,), (back,) = jax.jit(_there_and_back([runs]))([codes])
    assert bytes(np.asarray(stream)) == _stream(codes, runs)
    assert back.dtype == codes.dtype
    assert np.array_equal(back, codes)


def test_neighbours_of_one_width_are_one_run():
    codes = _codes([(7, 10)])

    @jax.jit
    def forms(codes):
        one = bitstream.pack(codes, [(7, 10)])
        other = bitstream.pack(codes, [(7, 3), (7, 0), (7, 7)])
        return one, other, bitstream.unpack(one, [(7, 4), (7, 6)])

    one, other, back = forms(codes)
    assert np.array_equal(other, one)
    assert np.array_equal(back, codes)


def test_one_bit_is_the_order_of_packbits():
    codes = _codes([(1, 77)])
    stream = jax.jit(functools.partial(bitstream.pack, runs=[(1, 77)]))(codes)
    assert np.array_equal(stream, np.packbits(codes, bitorder="little"))


def test_bits_above_the_width_are_dropped():
    pack = jax.jit(functools.partial(bitstream.pack, runs=[(3, 2)]))
    stream = pack(np.array([0xFF, 0xF0], np.uint8))
    # Lower two bits 3 and 0, upper bits 1 and 0.
    assert bytes(np.asarray(stream)) == bytes([0b01_00_11])


@pytest.mark.parametrize("runs", [(), ((5, 0),)])
def test_nothing_is_no_bytes(runs):
    assert bitstream.pack(np.zeros(0, np.uint8), runs).shape == (0,)
    assert bitstream.unpack(np.zeros(0, np.uint8), runs).shape == (0,)


def test_other_lengths_are_refused():
    with pytest.raises(ValueError, match=r"codes must have shape \(3,\).*got \(2,\)"):
        bitstream.pack(np.zeros(2, np.uint8), [(4, 3)])
    with pytest.raises(ValueError, match=r"stream must have shape \(2,\).*got \(3,\)"):
        bitstream.unpack(np.zeros(3, np.uint8), [(4, 3)])
