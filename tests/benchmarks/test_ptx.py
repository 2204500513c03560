"""Programs by hand, executed."""

import numpy as np
import pytest

from flq_jax.benchmarks import ptx
from flq_jax.benchmarks.ptx_arithmetic import arithmetic

HEAD = """
.visible .entry twice_product(
	.param .u64 .ptr twice_product_param_0,
	.param .u64 .ptr twice_product_param_1
)
.reqntid 32, 1, 1
{
	.reg .b32 %r<9>;
"""
ADDRESSES = """
	ld.param.b64 %rd1, [twice_product_param_0];
	ld.param::entry.b64 %rd2, [twice_product_param_1];
	mov.u32 %r1, %tid.x;
	mov.u32 %r2, %ctaid.x;
	shl.b32 %r3, %r2, 5;
	or.b32 %r4, %r3, %r1;
	mul.wide.u32 %rd3, %r4, 4;
	add.s64 %rd4, %rd1, %rd3;
	add.s64 %rd5, %rd2, %rd3;
"""
TAIL = """
	ret;
}
"""


def run(body, blocks=2):
    """Each thread's element of 64, from one array into another."""
    program = ptx.parse(HEAD + ADDRESSES + body + TAIL, "twice_product")
    source = np.arange(32 * blocks, dtype=np.int32) * 37
    arrays = [source, np.full_like(source, -1)]
    return source, ptx.launch(program, (blocks, 1), arrays)[1]


def test_every_thread_of_every_block_counts_its_bits():
    body = "ld.global.b32 %r5, [%rd4]; popc.b32 %r6, %r5; st.global.b32 [%rd5], %r6;"
    source, result = run(body)
    assert result.tolist() == [int(x).bit_count() for x in source]


def test_guarded_threads_alone_store():
    body = """
    ld.global.b32 %r5, [%rd4];
    setp.lt.u32 %p1, %r1, 3;
    @%p1 st.global.b32 [%rd5], %r5;
    """
    source, result = run(body, blocks=1)
    assert result.tolist() == source[:3].tolist() + [-1] * 29


JOINED = {"and": [2, 3, 4], "or": range(32), "xor": [0, 1, *range(5, 32)]}


@pytest.mark.parametrize("join, stored", JOINED.items())
def test_a_comparison_is_joined_with_what_held_before(join, stored):
    """Threads below 5, and those not below 2."""
    body = f"""
    ld.global.b32 %r5, [%rd4];
    setp.lt.u32 %p1, %r1, 2;
    setp.lt.{join}.u32 %p2, %r1, 5, !%p1;
    @%p2 st.global.b32 [%rd5], %r5;
    """
    source, result = run(body, blocks=1)
    assert np.flatnonzero(result == source).tolist() == [*stored]


@pytest.mark.parametrize("left_out, copied", [(0, True), (1, False)])
def test_a_copy_may_be_told_to_leave_its_source(left_out, copied):
    body = f"""
    mov.pred %p1, {left_out};
    mul.lo.u32 %r6, %r1, 4;
    cp.async.ca.shared.global [ %r6 + 0 ], [ %rd4 + 0 ], 0x4, %p1;
    ld.shared.b32 %r7, [%r6];
    st.global.b32 [%rd5], %r7;
    """
    source, result = run(body, blocks=1)
    assert result.tolist() == (source if copied else 0 * source).tolist()


def test_loops_go_round():
    """Five times one, by a branch back to a label."""
    body = """
    mov.b32 %r5, 0;
$L__BB0_1:
    add.s32 %r5, %r5, 1;
    setp.ne.b32 %p1, %r5, 5;
    @%p1 bra $L__BB0_1;
    st.global.b32 [%rd5], %r5;
    """
    assert set(run(body)[1].tolist()) == {5}


def test_vectors_pass_through_shared_memory():
    """Thread t stores t and 2 t, and loads the pair of the first thread, offset 8."""
    body = """
    mul.wide.u32 %rd6, %r1, 8;
    shl.b32 %r5, %r1, 1;
    st.shared.v2.b32 [%rd6], {%r1, %r5};
    bar.sync 0;
    ld.shared.v2.b32 {%r6, %r7}, [global_smem+8];
    add.s32 %r8, %r6, %r7;
    st.global.b32 [%rd5], %r8;
    """
    assert set(run(body)[1].tolist()) == {1 + 2}


@pytest.mark.parametrize(
    "body, match",
    [
        ("setp.eq.u32 %p1, %r1, 3; @%p1 bra $L__BB0_1; $L__BB0_1:", "threads differ"),
        ("sin.b32 %r5, %r1;", "sin"),
        ("mul.hi.s64 %rd6, %rd3, %rd3;", "mul.hi"),
    ],
)
def test_what_is_not_modelled_is_refused(body, match):
    with pytest.raises(NotImplementedError, match=match):
        run(body)


def test_a_missing_entry_is_refused():
    with pytest.raises(ValueError, match="must have an entry other, got none"):
        ptx.parse(HEAD + TAIL, "other")


def unsigned(*values):
    return [np.array([value], np.uint64) for value in values]


BY_HAND = {
    "shift out": ("shl", ["b32"], unsigned(1, 64), 0),
    "sign fills": ("shr", ["s32"], [np.array([-8]), np.array([1])], -4),
    "field": ("bfe", ["u32"], unsigned(0b110100, 2, 3), 0b101),
    "signed field": (
        "bfe", ["s32"], [np.array([0b110100]), np.array([2]), np.array([3])], -3,
    ),
    "bytes": ("prmt", ["b32"], unsigned(0x44332211, 0x88776655, 0x7410), 0x88552211),
    "signs of bytes": ("prmt", ["b32"], unsigned(0x00800000, 0, 0x222A), 0x808080FF),
}  # fmt: skip


@pytest.mark.parametrize("name, rest, values, result", BY_HAND.values(), ids=BY_HAND)
def test_arithmetic_by_hand(name, rest, values, result):
    assert int(arithmetic(name, rest, 32, values)[0]) == result


def test_matrix_product_of_a_warp():
    """Fragments as the ISA lays them out: four bytes of k to a register."""
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-128, 128, (n, 32), dtype=np.int8) for n in (16, 8))
    opcode = "mma.sync.aligned.m16n8k32.row.col.satfinite.s32.s8.s8.s32"
    d, left, right, c = (
        [f"%{name}{i}" for i in range(n)]
        for name, n in (("d", 4), ("a", 4), ("b", 2), ("c", 4))
    )
    block = ptx.Block(ptx.Program([], 32, [], {}), np.zeros(0, np.uint8), {}, (0, 0))
    group, within = np.arange(32) // 4, np.arange(32) % 4
    for i, name in enumerate(left):
        words = a.view(np.uint32)[group + 8 * (i % 2), within + 4 * (i // 2)]
        block.registers[name] = words.astype(np.uint64)
    for i, name in enumerate(right):
        words = b.view(np.uint32)[group, within + 4 * i]
        block.registers[name] = words.astype(np.uint64)
    for i, name in enumerate(c):
        block.registers[name] = np.full(32, i, np.uint64)
    operands = [f"{{{', '.join(names)}}}" for names in (d, left, right, c)]
    block.multiply(ptx.Instruction("", opcode, operands))
    expected = a.astype(int) @ b.astype(int).T
    for i, name in enumerate(d):
        want = expected[group + 8 * (i // 2), 2 * within + i % 2] + i
        np.testing.assert_array_equal(block.read(name, 32, True), want)


def test_matrices_go_to_shared_memory_and_come_back():
    """Row r of matrix i lies where lane 8 i + r says, and is lanes 4 r to 4 r + 3's."""
    block = ptx.Block(ptx.Program([], 32, [], {}), np.zeros(0, np.uint8), {}, (0, 0))
    lanes = np.arange(32, dtype=np.uint64)
    block.registers |= {"%at": 16 * lanes[::-1].copy(), "%a": lanes, "%b": lanes + 100}
    block.store_matrices("[%at]", "{%a, %b}")
    words = block.memory["shared"][:512].view(np.uint32).reshape(32, 4)
    np.testing.assert_array_equal(words[31 - 2], [8, 9, 10, 11])
    np.testing.assert_array_equal(words[31 - 8 - 2], [108, 109, 110, 111])
    block.load_matrices("{%c, %d}", "[%at]", transposed=False)
    np.testing.assert_array_equal(block.read("%d"), lanes + 100)
    np.testing.assert_array_equal(block.read("%c"), lanes)


def test_high_halves_of_products_keep_their_sign():
    # -3 * 2^31 = -2 * 2^32 + 2^31: division by a constant is made of these.
    factors = [np.array([-3, 5]), np.array([2**31 - 1, 2**31 - 1])]
    high = arithmetic("mul", ["hi", "s32"], 32, factors)
    assert high.tolist() == [-2, 2]
    factors = [np.array([2**64 - 1, 2**63, 3], np.uint64) for _ in range(2)]
    high = arithmetic("mul", ["hi", "u64"], 64, factors)
    assert high.tolist() == [2**64 - 2, 2**62, 0]


@pytest.mark.parametrize(
    "use", ["ld.global.b32 %r5, [%rd4+128];", "st.global.b32 [%rd5+128], %r1;"]
)
def test_a_thread_beside_the_arrays_is_found_out(use):
    """The second block's threads lie 128 bytes, an array's half, beyond the end."""
    with pytest.raises(IndexError, match="must stay within the arrays"):
        run(use)


def test_a_loop_without_end_is_ended():
    with pytest.raises(TimeoutError, match="must end within 30000 instructions"):
        run("$again:\n\tbra $again;", blocks=1)


def test_a_grid_has_three_axes():
    body = "mov.u32 %r5, %ctaid.z; st.global.b32 [%rd5], %r5;"
    program = ptx.parse(HEAD + ADDRESSES + body + TAIL, "twice_product")
    arrays = [np.zeros(32, np.int32), np.full(32, -1, np.int32)]
    assert ptx.launch(program, (1, 1, 3), arrays)[1].tolist() == [2] * 32
