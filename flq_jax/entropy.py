"""What an ideal coder would save, and what a real one does.

Messages carry their codes at fixed widths. The empirical entropy of the codes is how few
bits a coder needs that knows the histogram; `compress` is one, and counts the histogram.
"""

import struct

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.coding.range_coder import constriction, model, ranks

_HEADER = struct.Struct("<IH")
_LARGEST_ALPHABET = 2**12


def empirical_entropy(codes: jax.Array, num_symbols: int = 256) -> jax.Array:
    """Bits a code of the codes' own histogram, f32[].

        H = - sum_k p_k log2 p_k,   p_k the share of codes that are k.

    Args:
        codes: u8[d] or u32[d], all below `num_symbols`.
        num_symbols: size of the alphabet, 1 or more; ValueError otherwise.
    """
    if num_symbols < 1:
        raise ValueError(
            f"empirical_entropy: num_symbols must be 1 or more, got {num_symbols=}"
        )
    # f32 would count to 2^24 and no further.
    counts = jnp.zeros(num_symbols, jnp.int32).at[codes.astype(jnp.int32)].add(1)
    share = counts / codes.size
    return -jnp.sum(
        jnp.where(share > 0.0, share * jnp.log2(jnp.maximum(share, 1e-30)), 0.0)
    )


def compress(codes: np.ndarray) -> bytes:
    """Codes as bytes by range coding under their own histogram; `decompress` inverts.

    The histogram travels along, so that the bytes stand alone: the number of codes, of
    symbols, and the count of each symbol as u32, 6 + 4 k bytes in all, then whole words.

    Args:
        codes: integers [d], d from 1 and below 2**32, each from 0 and below 4096;
            ValueError otherwise. Needs the package's extra `entropy`, else ImportError.
    """
    coder, _ = constriction()
    codes = np.asarray(codes)
    if codes.size >= 2**32:
        raise ValueError(
            f"compress: needs fewer than 2**32 codes (u32 counts), got {codes.size:,}"
        )
    if codes.size < 1 or codes.min() < 0 or codes.max() >= _LARGEST_ALPHABET:
        raise ValueError(
            f"compress: needs codes in 0..{_LARGEST_ALPHABET - 1}, at least one, got "
            + (f"{codes.min()}..{codes.max()}" if codes.size else "none")
        )
    counts = np.bincount(codes)
    header = _HEADER.pack(codes.size, counts.size) + counts.astype("<u4").tobytes()
    if np.count_nonzero(counts) == 1:
        return header
    encoder = coder.RangeEncoder()
    encoder.encode(ranks(counts)[codes].astype(np.int32), model(counts))
    return header + encoder.get_compressed().astype("<u4").tobytes()


def decompress(data: bytes, most: int) -> np.ndarray:
    """The codes that `compress` was given, i64[d].

    Args:
        data: any bytes; those of `compress` hold d themselves.
        most: how many codes there may be. Ten bytes can ask for 2**32 - 1 of them; the
            receiver knows how many a message has, see `Layout.num_codes`.

    Raises:
        ValueError: the bytes are not from `compress`, damaged, or of more than `most`
            codes, which is found before any memory is asked for.
    """
    coder, _ = constriction()
    _require("length", len(data) >= _HEADER.size, f">= {_HEADER.size} bytes", len(data))
    size, symbols = _HEADER.unpack_from(data)
    _require("number of codes", 1 <= size <= most, f"in 1..{most}", size)
    _require("alphabet", symbols <= _LARGEST_ALPHABET, _LARGEST_ALPHABET, symbols)
    body = _HEADER.size + 4 * symbols
    whole = len(data) >= body and (len(data) - body) % 4 == 0
    _require("length", whole, f"{body} bytes and words", len(data))
    counts = np.frombuffer(data, "<u4", symbols, _HEADER.size).astype(np.int64)
    _require("sum of counts", counts.sum() == size, size, counts.sum())
    words = np.frombuffer(data, "<u4", offset=body).astype(np.uint32)
    present = np.flatnonzero(counts)
    if len(present) == 1:
        _require("words", not words.size, "none for one symbol", words.size)
        return np.full(size, present[0])
    decoder = coder.RangeDecoder(words)
    try:
        codes = present[decoder.decode(model(counts), size)]
    except AssertionError as error:  # what constriction calls an impossible word
        raise ValueError(
            f"decompress: words must be of a coder, got {error}"
        ) from error
    came = np.bincount(codes, minlength=symbols)
    _require("counts", np.array_equal(came, counts), "those told", "others")
    _require("words", decoder.maybe_exhausted(), "used up", "some that are left over")
    return codes


def _require(what: str, holds: bool, must: object, came: object) -> None:
    if not holds:
        raise ValueError(f"decompress: {what} must be {must}, got {came}")
