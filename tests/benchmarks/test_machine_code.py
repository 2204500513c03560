import pytest

from flq_jax.benchmarks import machine_code
from flq_jax.benchmarks.machine_code import Code, complaint

PTX = "xor.b32 %r1, %r2, %r3; popc.b32 %r4, %r1; and.b32 %r4, %r4, 3;"
BUNDLES = "%v1 = vpcnt %v0  ;;  %v2 = vxor.u32 %v1  ;;  vmatmul.msk.s8.gmra.mxu3 %v2"


def test_instructions_are_counted():
    found = machine_code.counted(PTX, machine_code.PTX)
    assert found == {"popcount": 1, "xor": 1, "and": 1, "int8": 0}
    wide = "mma.sync.aligned.m16n8k32.row.col.satfinite.s32.s8.s8.s32 {%r1}"
    assert machine_code.counted(wide, machine_code.PTX)["int8"] == 1
    wide = "wgmma.mma_async.sync.aligned.m64n64k32.s32.s8.s8 {%r1}"
    assert machine_code.counted(wide, machine_code.PTX)["int8"] == 1


def code(spills=0, **counts):
    return Code({"popcount": 0, "xor": 0, "and": 0, "int8": 0} | counts, spills)


@pytest.mark.parametrize(
    "name, found, fine",
    [
        ("popcount xor", code(popcount=9, xor=9), True),
        ("popcount xor", code(popcount=9, xor=8), False),
        ("popcount xor", code(popcount=9, xor=9, int8=1), False),
        ("popcount xor", code(), False),
        ("popcount and", code(popcount=9, xor=9), False),
        ("int8", code(int8=4, xor=3), True),
        ("int8", code(int8=4, popcount=1), False),
        ("int8", code(), False),
    ],
)
def test_wrong_code_is_complained_of(name, found, fine):
    assert (complaint(found, name) == "") == fine


def test_a_dump_without_the_kernel_is_refused(tmp_path):
    (tmp_path / "a.ptx").write_text(".visible .entry other_product(")
    with pytest.raises(ValueError, match="must hold the PTX of int8_product, got none"):
        machine_code.ptx_of(tmp_path, "int8_product")
    with pytest.raises(ValueError, match="needs the bundles of int8_product, got none"):
        machine_code.of_tpu(tmp_path, "int8_product")


def test_no_assembler_is_said(monkeypatch):
    monkeypatch.setattr(machine_code.shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match="ptxas: must be on the path or .*got none"):
        machine_code.ptxas()


def test_bundles_are_read_and_schedules_are_not(tmp_path):
    (tmp_path / "1-int8_product.1-70-final_bundles.txt").write_text(BUNDLES)
    (tmp_path / "1-int8_product.1-69-schedule-analysis_final_bundles.txt").write_text(
        "_spill"
    )
    found = machine_code.of_tpu(tmp_path, "int8_product")
    assert found == code(popcount=1, xor=1, int8=1)


def test_spills_are_those_of_vector_registers(tmp_path):
    (tmp_path / "1-int8_product.1-70-final_bundles.txt").write_text(
        "{ %1 = sst [smem:[#allocation5_spill]] %s2 }\n"
        "{ %2 = vst [vmem:[#allocation6_spill] sm:$0xff] /*vst_source=*/%v1 }\n"
        "{ %v3 = vld [vmem:[#allocation6_spill] sm:$0xff]  ;;  %v4 = vpcnt %v3 }\n"
    )
    found = machine_code.of_tpu(tmp_path, "int8_product")
    assert found == code(spills=2, popcount=1)
