"""Popcount products in lax, in the one form that XLA:CPU turns into vector code.

What decides is fusion. The words of b lie word-major, so that columns are contiguous;
the words of a chunk are unrolled into one elementwise expression over the columns, and
chunks follow one another in a scan. A reduction over the word axis instead, or a scan
body with fewer than 16 slices of b, is compiled to scalar code, 5 to 40 times slower.
"""

from collections.abc import Callable
from functools import reduce

import jax
import jax.numpy as jnp
from jax import lax

from flq_jax.kernels import host
from flq_jax.kernels.geometry import Geometry, taps

UNROLLED_WORDS = 40
CHUNK_SLICES = (16, 24)
TILE_COLUMNS = 256
TILED_WORDS = 12  # from so many words a column on tiles pay
CACHE_BYTES = 40 * 1024  # a larger chunk of b leaves the first-level cache, as measured


def counts(a: jax.Array, b: jax.Array, binary: bool, tree: bool | None = None):
    """Sums of 2^(i+j) popcount(a_i op b_j) over words and planes.

    Args:
        a: i32[k, m, p], the bit planes of m rows of p words.
        b: i32[l, p, n], the bit planes of n columns.
        binary: op is xor if true, else and.
        tree: whether to add words with carry-save adders before counting (see
            `weighted_popcount`); None: unless the host has a vector popcount.

    Returns:
        i32[m, n].
    """
    (planes_a, rows, words), (planes_b, _, columns) = a.shape, b.shape
    if columns < 16 <= rows:  # the longer side belongs on the vector lanes
        flipped = counts(b.swapaxes(1, 2), a.swapaxes(1, 2), binary, tree)
        return flipped.T
    tree = not host.has_vector_popcount() if tree is None else tree
    chunk = chunk_words(words, planes_a, planes_b)
    too_large = 4 * planes_b * chunk * columns > CACHE_BYTES
    if too_large and columns % TILE_COLUMNS == 0 and words >= TILED_WORDS:
        # A scan of at least two chunks copies each. A single one would be read where it
        # lies, in rows so far apart that they share the cache's sets.
        chunk = min(chunk, -(-words // 2))
        tiles = jnp.split(b, columns // TILE_COLUMNS, axis=2)
        parts = [_counts(a, tile, binary, tree, chunk) for tile in tiles]
        return jnp.concatenate(parts, axis=1)
    return _counts(a, b, binary, tree, chunk)


def _counts(
    a: jax.Array, b: jax.Array, binary: bool, tree: bool, chunk: int
) -> jax.Array:
    (planes_a, rows, words), (planes_b, _, columns) = a.shape, b.shape

    def chunk_counts(a, b):
        terms = {}
        for i in range(planes_a):
            for j in range(planes_b):
                for word in range(a.shape[2]):
                    left, right = a[i, :, word, None], b[j, word][None, :]
                    term = left ^ right if binary else left & right
                    terms.setdefault(i + j, []).append(term)
        return weighted_popcount(terms, tree)

    steps, rest = divmod(words, chunk)
    if steps <= 1:
        return chunk_counts(a, b)
    whole = steps * chunk
    chunks = (
        a[:, :, :whole].reshape(planes_a, rows, steps, chunk).transpose(2, 0, 1, 3),
        b[:, :whole].reshape(planes_b, steps, chunk, columns).swapaxes(0, 1),
    )
    total, _ = lax.scan(
        lambda total, chunk: (total + chunk_counts(*chunk), None),
        jnp.zeros((rows, columns), jnp.int32),
        chunks,
    )
    return total + chunk_counts(a[:, :, whole:], b[:, whole:]) if rest else total


def chunk_words(words: int, planes_a: int, planes_b: int) -> int:
    """How many words one unrolled expression takes: all of them, if they are few.

    Otherwise at least 16 slices of b, words times its planes, and about 24 terms; of
    those sizes one that leaves no rest, and the largest of them.
    """
    terms = planes_a * planes_b
    if words * terms <= UNROLLED_WORDS:
        return max(words, 1)
    least, most = CHUNK_SLICES
    low = -(-least // planes_b)
    sizes = range(low, max(low + 1, most // terms + 1))
    return min(min(sizes, key=lambda size: (words % size != 0, -size)), words)


def weighted_popcount(terms: dict[int, list[jax.Array]], tree: bool) -> jax.Array:
    """Sum of 2^e popcount(word) over all words listed under e.

    As a tree, three words of one weight become their bitwise sum and the carries, of
    the next weight: popcount(a) + popcount(b) + popcount(c) =
    popcount(a^b^c) + 2 popcount(carry(a, b, c)). Five bitwise operations spare one
    count, which is a win where a count takes a dozen instructions.

    Args:
        terms: exponent -> words, i32 of one broadcast shape.
        tree: whether to add before counting.
    """
    terms = {exponent: list(words) for exponent, words in terms.items()}
    counts, exponent = [], min(terms)
    while exponent <= max(terms):
        words = terms.get(exponent, [])
        while tree and len(words) > 2:
            x, y, z = words.pop(0), words.pop(0), words.pop(0)
            half = x ^ y
            words.append(half ^ z)
            terms.setdefault(exponent + 1, []).append((x & y) | (half & z))
        if words:
            count = reduce(jnp.add, map(lax.population_count, words))
            count = count << exponent if exponent else count  # no shift by 0: it costs
            counts.append(count)
        exponent += 1
    return reduce(jnp.add, counts)


def conv_counts(
    x: jax.Array,
    w: jax.Array,
    binary: bool,
    geometry: Geometry,
    tree: bool | None = None,
) -> jax.Array:
    """The same sums for every window of packed images.

    Few words are summed over shifted slices in one expression, with nothing in memory
    but the images; many as a product of packed patches, 1/32 of those of f32.

    Args:
        x: i32[k, n, h, w, p], the bit planes of images of p words a pixel.
        w: i32[l, kh, kw, p, o].
        binary: op is xor if true, else and.
        geometry: of x and w.
        tree: as in `counts`.

    Returns:
        i32[n, ho, wo, o].
    """
    planes_x, planes_w = x.shape[0], w.shape[0]
    tree = not host.has_vector_popcount() if tree is None else tree
    words = x.shape[-1]
    num_terms = geometry.kernel[0] * geometry.kernel[1] * words * planes_x * planes_w
    if num_terms > UNROLLED_WORDS:
        return patch_counts(x, w, geometry, lambda a, b: counts(a, b, binary, tree))
    per_tap = w.reshape(planes_w, -1, words, w.shape[-1])
    terms = {}
    for tap, seen in enumerate(taps(x, geometry)):
        for i in range(planes_x):
            for j in range(planes_w):
                for word in range(words):
                    left = seen[i, ..., word, None]
                    right = per_tap[j, tap, word][None, None, None]
                    term = left ^ right if binary else left & right
                    terms.setdefault(i + j, []).append(term)
    return weighted_popcount(terms, tree)


def patch_counts(
    x: jax.Array, w: jax.Array, geometry: Geometry, product: Callable
) -> jax.Array:
    """A convolution's counts as one product of packed patches, padded with words of 0.

    Args:
        x: i32[k, n, h, w, p].
        w: i32[l, kh, kw, p, o].
        geometry: of x and w.
        product: (i32[k, m, kh kw p], i32[l, kh kw p, o]) -> i32[m, o].

    Returns:
        i32[n, ho, wo, o].
    """
    patches = jnp.concatenate(list(taps(x, geometry)), -1)
    *_, words = patches.shape
    rows = patches.reshape(x.shape[0], -1, words)
    flat = product(rows, w.reshape(w.shape[0], words, -1))
    return flat.reshape(*patches.shape[1:-1], -1)
