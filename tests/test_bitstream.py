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


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("count", [5, 67])
def test_jit_is_eager_and_vmap_a_loop(bits, count):
    runs = ((bits, count),)
    codes = np.stack([_codes(runs, seed) for seed in range(3)])
    pack = functools.partial(bitstream.pack, runs=runs)
    unpack = functools.partial(bitstream.unpack, runs=runs)
    streams = jax.jit(jax.vmap(pack))(codes)
    assert streams.dtype == jnp.uint8 and streams.shape == (3, -(-bits * count // 8))
    for row, stream in zip(codes, streams):
        assert bytes(np.asarray(stream)) == _stream(row, runs)
        assert np.array_equal(jax.jit(pack)(row), stream)
    assert np.array_equal(pack(jnp.asarray(codes[0])), streams[0])
    back = jax.jit(jax.vmap(unpack))(streams)
    assert back.dtype == jnp.uint8
    assert np.array_equal(back, codes)
    assert np.array_equal(unpack(streams[0]), codes[0])


@pytest.mark.parametrize("sizes", [(), (1,), (4, 1), (8, 4, 1)])
def test_long_runs_are_packed_as_short_ones_are(sizes):
    runs = ((sum(sizes), 2**14 + 77),)
    codes = np.stack([_codes(runs, seed) for seed in range(2)])
    pack = functools.partial(bitstream.pack, runs=runs)
    streams = jax.jit(jax.vmap(pack))(codes)
    for row, stream in zip(codes, streams):
        bits = [np.zeros(0, bool)]
        for i, size in enumerate(sizes):
            field = row >> sum(sizes[:i])
            bits.append((field[:, None] >> np.arange(size) & 1).astype(bool).ravel())
        wanted = np.packbits(np.concatenate(bits), bitorder="little")
        assert np.array_equal(stream, wanted)
        assert np.array_equal(bitstream.unpack(stream, runs), row)


@hypothesis.settings(max_examples=20, deadline=None, derandomize=True)
@hypothesis.given(
    runs=st.lists(
        st.tuples(st.integers(0, 32), st.integers(1, 40)),
        max_size=4,
        unique_by=lambda run: run[0],
    ).map(lambda runs: ((3, 2), *(run for run in runs if run[0] != 3))),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_runs_stand_field_by_field_and_come_back(runs, seed):
    codes = _codes(runs, seed)
    stream = jax.jit(bitstream.pack, static_argnames="runs")(codes, runs)
    assert bytes(np.asarray(stream)) == _stream(codes, runs)
    back = jax.jit(bitstream.unpack, static_argnames="runs")(stream, runs)
    assert back.dtype == codes.dtype
    assert np.array_equal(back, codes)


def test_neighbours_of_one_width_are_one_run():
    codes = _codes([(7, 10)])
    one = bitstream.pack(codes, [(7, 10)])
    assert np.array_equal(bitstream.pack(codes, [(7, 3), (7, 0), (7, 7)]), one)
    assert np.array_equal(bitstream.unpack(one, [(7, 4), (7, 6)]), codes)


def test_one_bit_is_the_order_of_packbits():
    codes = _codes([(1, 77)])
    stream = bitstream.pack(codes, [(1, 77)])
    assert np.array_equal(stream, np.packbits(codes, bitorder="little"))


def test_bits_above_the_width_are_dropped():
    stream = bitstream.pack(np.array([0xFF, 0xF0], np.uint8), [(3, 2)])
    # Lower two bits 3 and 0, upper bits 1 and 0.
    assert bytes(np.asarray(stream)) == bytes([0b01_00_11])


@pytest.mark.parametrize("runs", [(), ((5, 0),)])
def test_nothing_is_no_bytes(runs):
    assert bitstream.pack(jnp.zeros(0, jnp.uint8), runs).shape == (0,)
    assert bitstream.unpack(jnp.zeros(0, jnp.uint8), runs).shape == (0,)


def test_other_lengths_are_refused():
    with pytest.raises(ValueError, match=r"codes must have shape \(3,\).*got \(2,\)"):
        bitstream.pack(jnp.zeros(2, jnp.uint8), [(4, 3)])
    with pytest.raises(ValueError, match=r"stream must have shape \(2,\).*got \(3,\)"):
        bitstream.unpack(jnp.zeros(3, jnp.uint8), [(4, 3)])
