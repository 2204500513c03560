"""What products are predicted to cost on a GPU that none of them was timed on."""

from flq_jax.kernels.packing import WORD_BITS, num_words

# An H100: of each multiprocessor and clock, and of the whole card.
UNITS = 132
COUNTS = 16  # words counted
INT8 = 4096  # int8 products
INT8_SHARE = 0.22  # of these, what our kernel's machine code can reach
BYTES = 1970  # from memory, a clock of the card
LAUNCH = 4300  # clocks from one kernel to the next: 2.5 us
INT8_BLOCK = (64, 64)


def gpu_block(rows: int) -> tuple[int, int]:
    """Rows and columns of a tile of popcounts: no more rows than there are, up to 32.

    A tile of few rows is narrower, so that there are more of them than of 32 x 128.
    """
    high = min(32, 1 << max(rows - 1, 0).bit_length())
    return high, 128 if high >= 8 else 64


def gpu_costs(shape) -> dict[str, float]:
    """back end -> predicted clocks of an H100 for a matrix product with b packed.

        cost = 4300 kernels + max(bytes / 1970, operations / (rate units)),

    of a `dispatch.Shape`, with units = min(132, tiles), and operations those of whole tiles. Of m x k x n:

        gpu_popcount  m k n / 32 words for each pair of planes, at 16;
        gpu_int8      m k n products at 22 % of 4096, as its machine code allows; packed
                      columns are moved three times, for they are laid out anew;
        lax_dot       m k n products at 4096 by all units; columns are read packed, then
                      written and read as bytes.

    Kernels: the product's; laying out a, and b of gpu_int8; packing an a that is not;
    lax_dot's unpacking. Nothing of this was ever timed.
    """
    (rows, length, columns), (a_bits, b_bits) = shape[:3], shape.bits
    words = num_words(length)
    pack_a = 0 if shape.packed[0] else 1
    ends = 4 * rows * words * a_bits + pack_a * rows * length + 4 * rows * columns
    packed_b = 4 * words * columns * b_bits

    def cost(kernels, moved, operations, rate, units=UNITS):
        work = operations / (rate * min(units, UNITS))
        return LAUNCH * kernels + max(moved / BYTES, work)

    def tiled(block):
        tiles = -(-rows // block[0]) * -(-columns // block[1])
        return tiles * block[0] * block[1] * words, tiles

    counted, count_tiles = tiled(gpu_block(rows))
    spread, spread_tiles = tiled(INT8_BLOCK)
    bytes_a = rows * length * (1 if pack_a else 2)
    unpacked = bytes_a + packed_b + 2 * length * columns + 4 * rows * columns
    return {
        "gpu_popcount": cost(
            2 + pack_a,
            ends + packed_b,
            counted * a_bits * b_bits,
            COUNTS,
            count_tiles,
        ),
        "gpu_int8": cost(
            3 + pack_a,
            ends + 3 * packed_b,
            WORD_BITS * spread,
            INT8_SHARE * INT8,
            spread_tiles,
        ),
        "lax_dot": cost(2, unpacked, rows * length * columns, INT8),
    }
