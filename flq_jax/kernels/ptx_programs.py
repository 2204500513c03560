"""The PTX of packed products and convolutions: what `gpu_ptx` hands to XLA.

A thread of a tile owns some of its windows and outputs. Those beyond the last are taken to
be the last: what they count is cut off. Steps beyond the last are not taken.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from flq_jax.kernels.geometry import Geometry
from flq_jax.kernels.predicted import WARP, Tiling
from flq_jax.kernels.ptx import BYTES, Value, Writer

MULTIPLY = "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32"
HIGH, WIDE = 16, 8  # results of a tensor core's product, of 32 terms: a word
WARPS = 4  # of a tile of int8 products
LOW_BITS, HIGH_BITS = 0x01010101, 0x80808080  # of a word's bytes


def sizes(images, weights, geometry: Geometry) -> tuple[int, int]:
    """Windows of all images, and outputs."""
    return images[1] * geometry.out[0] * geometry.out[1], weights[-1]


def num_places(weights) -> int:
    """The words of a window's taps."""
    _, height, width, words, _ = weights
    return height * width * words


def popcount(
    name: str, images, weights, geometry: Geometry, tiling: Tiling, binary: bool
) -> str:
    """The PTX of `gpu_ptx.popcount_conv`: a warp to a tile, a step a plane of a place.

    Args:
        name: of the kernel.
        images: [k, n, h, w, p], the shape of x.
        weights: [l, kh, kw, p, o], of w.
        geometry: of both.
        tiling: of `gpu_ptx.whole_warps`.
        binary: op is xor if true, else and.
    """
    p, (high, wide) = Writer(name), tiling.block
    x, w, out = map(p.parameter, range(3))
    lane = p("mov.u32", "%tid.x")
    across = min(wide, WARP)
    first_row, first_column = p.split(lane, across, WARP)
    rows = _spaced(p, "x", high, first_row, WARP // across)
    columns = _spaced(p, "y", wide, first_column, across)
    seen = [_Window(p, x, row, images, geometry) for row in rows]
    meets = [_output(p, w, column, weights[-1]) for column in columns]
    totals = [[p("mov.b32", 0) for _ in columns] for _ in rows]
    planes, op = images[0], "xor.b32" if binary else "and.b32"

    def step(number: str) -> None:
        place, plane = p.split(number, planes, planes * num_places(weights))
        tap = _tap(p, place, plane, images, weights, geometry)
        words_x = [window.word(tap) for window in seen]
        scale = plane if plane == 0 else p("shl.b32", 1, plane)
        offset = p("mul.wide.s32", place, BYTES * weights[-1], kind="rd")
        for j in range(weights[0]):
            after = BYTES * j * num_places(weights) * weights[-1]
            factor = 1 << j if scale == 0 else p.times(scale, 1 << j)
            for column, start in enumerate(meets):
                address = p("add.s64", start, offset, kind="rd")
                word_w = p.word(address, offset=after)
                for row, word_x in enumerate(words_x):
                    count = p("popc.b32", p(op, word_x, word_w))
                    _add(p, totals[row][column], count, factor)

    _loop(p, planes * num_places(weights), tiling.splits, step)
    tiled = sizes(images, weights, geometry)
    for row, line in zip(rows, totals):
        for column, total in zip(columns, line):
            address = _result(p, out, row, column, tiling, tiled)
            p.put("st.global.b32", f"[{address}]", total)
    return p.text(parameters=3, threads=WARP)


def int8(name: str, images, weights, geometry: Geometry, tiling: Tiling) -> str:
    """The PTX of `gpu_ptx.int8_conv`: four warps to a tile, a step a place, which is 32 terms.

    In a product of [16, 32] by [32, 8] the thread 4 g + t holds bytes of the rows g and
    g + 8 and of the column g, and results of the columns 2 t and 2 t + 1 (PTX ISA, "Matrix
    Fragments for mma.m16n8k32").

    Args:
        name: of the kernel.
        images: [k, n, h, w, p], the shape of x.
        weights: [l, kh, kw, p, o], of w.
        geometry: of both.
        tiling: blocks as `int8_conv` takes them.
    """
    p, (high, wide) = Writer(name), tiling.block
    x, w, out = map(p.parameter, range(3))
    lane, warp = p.split(p("mov.u32", "%tid.x"), WARP, 2 * WARP)[::-1]
    across = WARPS if high == HIGH else WARPS // 2
    part = high * across // WARPS, wide // across  # of a tile, a warp's
    down, right = p.split(warp, across, WARPS)
    group, thread = p.split(lane, 4, WARP)
    top, side = p.times(down, part[0]), p.times(right, part[1])
    rows = _spaced(p, "x", high, p.plus(top, group), HIGH // 2, part[0])
    columns = _spaced(p, "y", wide, p.plus(side, group), WIDE, part[1])
    seen = [_Window(p, x, row, images, geometry) for row in rows]
    meets = [_output(p, w, column, weights[-1]) for column in columns]
    sums = [[[p("mov.b32", 0) for _ in range(4)] for _ in columns] for _ in rows[::2]]
    shifts = thread, p("add.s32", thread, 4)
    plane_bytes = BYTES * math.prod(images[1:]), BYTES * math.prod(weights[1:])

    def step(place: str) -> None:
        tap = _tap(p, place, 0, images, weights, geometry)
        bytes_x = []
        for window in seen:
            words = [window.word(tap, i * plane_bytes[0]) for i in range(images[0])]
            bytes_x.append([_bytes(p, words, shift) for shift in shifts])
        offset = p("mul.wide.s32", place, BYTES * weights[-1], kind="rd")
        for column, start in enumerate(meets):
            address = p("add.s64", start, offset, kind="rd")
            planes = range(0, weights[0] * plane_bytes[1], plane_bytes[1])
            words = [p.word(address, offset=after) for after in planes]
            factor = [_bytes(p, words, shift) for shift in shifts]
            pairs = zip(bytes_x[::2], bytes_x[1::2])
            for line, (upper, lower) in zip(sums, pairs):
                four = [upper[0], lower[0], upper[1], lower[1]]
                total = _listed(line[column])
                p.put(MULTIPLY, total, _listed(four), _listed(factor), total)

    _loop(p, num_places(weights), tiling.splits, step)
    tiled = sizes(images, weights, geometry)
    pair = p.plus(side, p.times(thread, 2))
    columns = _spaced(p, "y", wide, pair, WIDE, part[1])
    for number, row in enumerate(rows):
        half = slice(0, 2) if number % 2 == 0 else slice(2, 4)
        for column, total in zip(columns, sums[number // 2]):
            address = _result(p, out, row, column, tiling, tiled)
            p.put("st.global.v2.b32", f"[{address}]", _listed(total[half]))
    return p.text(parameters=3, threads=WARP * WARPS)


class _Window:
    """A window of the images: where it begins, and what of it lies in its image."""

    def __init__(self, p: Writer, x: str, number: Value, images, geometry: Geometry):
        _, batch, height, width, words = images
        windows = batch * geometry.out[0] * geometry.out[1]
        number = p("min.u32", number, windows - 1)
        image, rest = p.split(number, geometry.out[0] * geometry.out[1], windows)
        down, right = p.split(rest, geometry.out[1], geometry.out[0] * geometry.out[1])
        self._p, self._size = p, geometry.size
        starts = zip((down, right), geometry.stride, geometry.padding)
        self._row, self._column = (p.plus(p.times(n, s), -b[0]) for n, s, b in starts)
        row = p.plus(p.times(image, height), self._row)
        pixel = p.plus(p.times(row, width), self._column)
        self._start = p.at(x, pixel, BYTES * words)
        self._all_inside = geometry.padding == ((0, 0), (0, 0))

    def word(self, tap: "_Tap", after: int = 0) -> str:
        """The word that it sees at a tap, of the plane so many bytes on; 0 outside."""
        p, inside = self._p, ""
        if not self._all_inside:
            row = p("add.s32", self._row, tap.down)
            column = p("add.s32", self._column, tap.right)
            above = p("setp.lt.u32", row, self._size[0], kind="p")
            inside = p("setp.lt.and.u32", column, self._size[1], above, kind="p")
        return p.word(p("add.s64", self._start, tap.offset, kind="rd"), inside, after)


class _Tap(NamedTuple):
    """A tap's word: steps down and right from a window's first pixel, and bytes from it."""

    down: Value
    right: Value
    offset: str


def _tap(
    p: Writer, place: Value, plane: Value, images, weights, geometry: Geometry
) -> _Tap:
    """The tap of a place, and its word of a plane."""
    _, batch, height, width, words = images
    _, taps_down, taps_right, *_ = weights
    tap, word = p.split(place, words, num_places(weights))
    i, j = p.split(tap, taps_right, taps_down * taps_right)
    down, right = p.times(i, geometry.dilation[0]), p.times(j, geometry.dilation[1])
    pixel = p.plus(
        p.plus(p.times(down, width), right), p.times(plane, batch * height * width)
    )
    index = p.plus(p.times(pixel, words), word)
    return _Tap(down, right, p("mul.wide.s32", index, BYTES, kind="rd"))


def _spaced(
    p: Writer, axis: str, block: int, first: Value, step: int, size: int = 0
) -> list[Value]:
    """A thread's numbers along an axis of the grid: first, first + step, and so on.

    Args:
        p: of the kernel.
        axis: "x" or "y".
        block: numbers of a tile.
        first: the thread's, within its tile.
        step: to its next.
        size: numbers that it shares with others of its warp; 0: all of the tile.
    """
    tile = p("mul.lo.s32", p("mov.u32", f"%ctaid.{axis}"), block)
    start = p.plus(tile, first)
    return [p.plus(start, n) for n in range(0, size or block, step)]


def _output(p: Writer, w: str, column: Value, outputs: int) -> str:
    """The address of an output's first word."""
    return p.at(w, p("min.u32", column, outputs - 1))


def _result(
    p: Writer, out: str, row: Value, column: Value, tiling: Tiling, tiled
) -> str:
    """The address of a result in the program's part, i32[splits, rows, columns] of tiles."""
    rows, columns = (-(-n // size) * size for n, size in zip(tiled, tiling.block))
    if tiling.splits > 1:
        row = p("mad.lo.s32", p("mov.u32", "%ctaid.z"), rows, row)
    return p.at(out, p("mad.lo.s32", row, columns, column))


def _loop(p: Writer, steps: int, splits: int, step: Callable[[str], None]) -> None:
    """The program's part of the steps, one after another."""
    part = -(-steps // splits)
    number = p("mul.lo.s32", p("mov.u32", "%ctaid.z"), part)
    end = p("min.u32", p("add.s32", number, part), steps)
    p.label("NEXT")
    done = p("setp.ge.u32", number, end, kind="p")
    p.put("bra.uni", "DONE", guard=done)
    step(number)
    p.put("add.s32", number, number, 1)
    p.put("bra.uni", "NEXT")
    p.label("DONE")


def _add(p: Writer, total: str, count: str, factor: Value) -> None:
    """total += factor count."""
    if factor == 1:
        p.put("add.s32", total, total, count)
    else:
        p.put("mad.lo.s32", total, count, factor, total)


def _bytes(p: Writer, planes: Sequence[str], shift: Value) -> str:
    """u of the codes at every eighth bit from `shift` on, as `int8.byte_lanes`."""
    lanes = [p("and.b32", p("shr.u32", word, shift), LOW_BITS) for word in planes]
    weighted = (p("shl.b32", lane, j) if j else lane for j, lane in enumerate(lanes))
    codes = functools.reduce(functools.partial(p, "or.b32"), weighted)
    return p("xor.b32", codes, HIGH_BITS) if len(planes) == 8 else codes


def _listed(registers: Sequence[str]) -> str:
    return f"{{{', '.join(registers)}}}"
