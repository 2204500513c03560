"""Random low-bit operands, and integer products in numpy to compare with."""

import jax
import numpy as np
import pytest

from flq_jax.benchmarks import ptx
from flq_jax.kernels import Codes, gpu_ptx
from flq_jax.kernels.geometry import resolve


class Oracle:
    """Operands drawn from one stream, and their products in 64-bit integers."""

    def __init__(self, seed):
        self._rng = np.random.default_rng(seed)

    def operand(self, shape, bits, signed):
        codes = self._rng.integers(0, 2**bits, shape, dtype=np.uint8)
        return Codes(codes, bits, signed)

    def words(self, shape):
        """Random bit planes, i32."""
        return self._rng.integers(-(2**31), 2**31, shape, dtype=np.int32)

    @staticmethod
    def counts(a, b, binary):
        """Sums of 2^(i+j) popcount(a_i op b_j), bit by bit: [k,m,p], [l,p,n] -> [m,n]."""
        a, b = _bits(np.asarray(a)), _bits(np.asarray(b).swapaxes(1, 2))
        total = 0
        for i, left in enumerate(a):
            for j, right in enumerate(b):
                both = left @ right.T
                if binary:  # a xor b = a + b - 2 a b
                    both = left.sum(1)[:, None] + right.sum(1)[None] - 2 * both
                total += both << (i + j)
        return total

    @staticmethod
    def values(operand):
        codes = np.asarray(operand.codes).astype(np.int64)
        return 2 * codes - (2**operand.bits - 1) if operand.signed else codes

    def matmul(self, a, b):
        return self.values(a) @ self.values(b)

    def conv(self, x, w, stride, dilation, padding, groups):
        """Tap by tap and group by group, over the last four axes."""
        x, w = self.values(x), self.values(w)
        size, (kh, kw) = x.shape[-3:-1], w.shape[-4:-2]
        g = resolve(size, (kh, kw), stride, dilation, padding)
        x = np.pad(x, [(0, 0)] * (x.ndim - 3) + [*g.padding, (0, 0)])
        (sh, sw), (dh, dw), (ho, wo) = g.stride, g.dilation, g.out
        outputs = []
        for group in range(groups):
            channels, of = w.shape[-2], w.shape[-1] // groups
            part = x[..., group * channels : (group + 1) * channels]
            kernel = w[..., group * of : (group + 1) * of]
            outputs.append(
                sum(
                    np.einsum(
                        "...nhwc,...co->...nhwo",
                        part[..., i * dh :: sh, j * dw :: sw, :][..., :ho, :wo, :],
                        kernel[..., i, j, :, :],
                    )
                    for i in range(kh)
                    for j in range(kw)
                )
            )
        return np.concatenate(outputs, -1)


def _bits(words):
    """The bits of i32[k, m, p], as integers 0 and 1, [k, m, 32 p]."""
    as_bytes = np.ascontiguousarray(words).view(np.uint8)
    return np.unpackbits(as_bytes, axis=-1, bitorder="little").astype(np.int64)


@pytest.fixture(autouse=True)
def as_users_have_them(optimised):
    """The machine code of a kernel is what is tested."""


@pytest.fixture
def oracle(request):
    """An oracle whose stream belongs to this very test."""
    return Oracle(list(request.node.name.encode()))


@pytest.fixture(params=[True, False], ids=["interpreted", "on the card"])
def interpret(request):
    """Whether a GPU kernel's body is run as ordinary JAX; where there is a GPU, both."""
    if not request.param and jax.default_backend() != "gpu":
        pytest.skip(f"no GPU here: JAX's platform is {jax.default_backend()}")
    return request.param


@pytest.fixture(params=["executed", "on the card"])
def assembled(request, monkeypatch):
    """How kernels in PTX run: their text executed on the host; where there is a GPU, there too.

    Everything around a kernel is compiled by JAX as it stands.
    """
    if request.param == "executed":
        monkeypatch.setattr(jax.ffi, "ffi_call", on_the_host)
    elif jax.default_backend() != "gpu":
        pytest.skip(f"no GPU here: JAX's platform is {jax.default_backend()}")


def on_the_host(target, result, vmap_method):
    """In place of `jax.ffi.ffi_call`: what XLA does with the call, on the host."""
    assert target == gpu_ptx.CALL

    def call(*operands, name, kernel_type, kernel_data, output_indices, **sizes):
        assert kernel_type == "ptx" and output_indices.tolist() == [len(operands)]
        assert sizes["shared_mem_bytes"] == 0
        program = ptx.parse(kernel_data, name)
        block = [int(sizes[f"block_{axis}"]) for axis in "xyz"]
        assert block == [program.threads, 1, 1]
        grid = [int(sizes[f"grid_{axis}"]) for axis in "xyz"]

        def run(*arrays):
            # Whoever leaves a result out leaves a number that stands out.
            out = np.full(result.shape, -(10**9), result.dtype)
            return ptx.launch(program, grid, [*map(np.asarray, arrays), out])[-1]

        return jax.pure_callback(run, result, *operands, vmap_method=vmap_method)

    return call
