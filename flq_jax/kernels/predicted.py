"""What products are predicted to cost on a GPU that none of them was timed on."""

from collections.abc import Sequence
from typing import NamedTuple

from flq_jax.kernels.packing import WORD_BITS, num_words

# An H100: of each multiprocessor and clock, and of the whole card.
UNITS = 132
COUNTS = 16  # words counted
SCHEDULERS = 4  # of a multiprocessor; each takes a warp's instruction a clock
INT8 = 4096  # int8 products
BYTES = 1970  # from memory, a clock of the card
WARP = 32
LAUNCH = 4300  # clocks from one kernel to the next: 2.5 us
# Instructions of a step of int8 products as compiled: some, and for each row's plane.
STEP, ROW = 60, 1.7
CHUNK = 2  # words of such a step
LEAST_STEPS = 8  # of a loop, for what comes before and after it to be small
INT8_BLOCKS = [(high, wide) for high in (16, 64, 128) for wide in (64, 128)]


class Tiling(NamedTuple):
    """How a product is shared out among programs.

    Attributes:
        block: rows and columns of a tile.
        splits: programs to a tile, each a part of the contracted axis.
    """

    block: tuple[int, int]
    splits: int = 1

    def tiles(self, rows: int, columns: int) -> int:
        """How many cover a result."""
        return -(-rows // self.block[0]) * -(-columns // self.block[1])


def require_block(where: str, block: Sequence[int], least: int = 1) -> None:
    """Raises ValueError unless every size is a power of 2 from `least`."""
    if any(size < least or size & (size - 1) for size in block):
        raise ValueError(
            f"{where}: block must be powers of 2 from {least}, got {block=}"
        )


def popcount_tiling(rows: int, columns: int, steps: int) -> Tiling:
    """Tiles of one warp: no larger than the result, up to 16 x 128.

    So many take 17 loads for 64 counts, fewer columns one for each. A warp to every
    scheduler is wanted.
    """
    block = _fitting(rows, 1, 16), _fitting(columns, 16, 128)
    return _split(block, rows, columns, steps, SCHEDULERS * UNITS)


def int8_tiling(rows: int, columns: int, bits: tuple[int, int], steps: int) -> Tiling:
    """The tiles of `INT8_BLOCKS`, four warps each, that are predicted to be done first."""
    tilings = [_split(block, rows, columns, steps, UNITS) for block in INT8_BLOCKS]
    return min(tilings, key=lambda t: _int8_clocks(t, rows, columns, bits, steps))


def _fitting(size: int, least: int, most: int) -> int:
    """The first power of 2 that covers a size, within two others."""
    return min(most, max(least, 1 << max(size - 1, 0).bit_length()))


def _split(block, rows: int, columns: int, steps: int, wanted: int) -> Tiling:
    """Tiles are shared while there are fewer than wanted and parts are long enough."""
    tiles = Tiling(block).tiles(rows, columns)
    return Tiling(block, max(1, min(wanted // tiles, steps // LEAST_STEPS)))


def _int8_clocks(tiling: Tiling, rows: int, columns: int, bits, steps: int) -> float:
    """Clocks of the multiprocessor that has the most to do."""
    high, wide = tiling.block
    step = STEP + ROW * (bits[0] * high + bits[1] * wide)
    step = max(step, WORD_BITS * CHUNK * high * wide / INT8)
    programs = tiling.tiles(rows, columns) * tiling.splits
    return -(-programs // UNITS) * -(-steps // tiling.splits) * step


def _popcount_clocks(
    tiling: Tiling, rows: int, columns: int, bits, steps: int
) -> float:
    """Clocks of the scheduler that has the most to do, of whole warps."""
    high, wide = tiling.block
    warp = max(high * wide, WARP) * bits[1] * SCHEDULERS / COUNTS
    programs = tiling.tiles(rows, columns) * tiling.splits
    return -(-programs // (SCHEDULERS * UNITS)) * -(-steps // tiling.splits) * warp


def gpu_costs(shape) -> dict[str, float]:
    """back end -> predicted clocks of an H100 for a matrix product with b packed.

        cost = 4300 kernels + max(bytes / 1970, clocks of the busiest unit),

    of a `dispatch.Shape`. The busiest unit's clocks are, with the tiling's whole tiles,

        gpu_popcount  4 for each scheduler's word and pair of planes, 32 at once;
        gpu_int8      60 + 1.7 (k rows + l columns of a tile) for two words of a tile,
                      the instructions of its machine code;
        lax_dot       m k n products at 4096 by all units; columns are read packed, then
                      written and read as bytes.

    Kernels: the product's; what turns counts into values, and adds up the parts of split
    tiles, which are written and read; the sums of a's and b's codes, which xor does not
    need; packing an a that is not; lax_dot's unpacking.
    Waiting for memory or for another instruction is not counted. Nothing of this was
    ever timed.
    """
    (rows, length, columns), (a_bits, b_bits) = shape[:3], shape.bits
    words, pack_a = num_words(length), 0 if shape.packed[0] else 1
    ends = 4 * rows * words * a_bits + pack_a * rows * length + 4 * rows * columns
    packed_b = 4 * words * columns * b_bits

    def own(tiling, clocks, steps, sums):
        parts = 8 * rows * columns * tiling.splits
        work = clocks(tiling, rows, columns, shape.bits, steps)
        kernels = 2 + sums + pack_a
        return LAUNCH * kernels + max((ends + packed_b + parts) / BYTES, work)

    counted, spread = words * a_bits, -(-words // CHUNK)
    bytes_a = rows * length * (1 if pack_a else 2)
    unpacked = bytes_a + packed_b + 2 * length * columns + 4 * rows * columns
    multiplied = rows * length * columns / (INT8 * UNITS)
    few, wide = (
        popcount_tiling(rows, columns, counted),
        int8_tiling(rows, columns, shape.bits, spread),
    )
    return {
        "gpu_popcount": own(
            few, _popcount_clocks, counted, 0 if shape.bits == (1, 1) else 2
        ),
        "gpu_int8": own(wide, _int8_clocks, spread, 2),
        "lax_dot": 2 * LAUNCH + max(unpacked / BYTES, multiplied),
    }
