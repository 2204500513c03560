"""XLA's own products and a copy, which are the ceilings; low-bit products beside them."""

import functools
import itertools

import jax
import jax.numpy as jnp
from jax import lax

from flq_jax.kernels import bit_conv, bit_matmul, pack

from .exactness import codes
from .measure import Works, of_program

DIMENSIONS = ("NHWC", "HWIO", "NHWC")
# Element type and that of the sum, precision; f32 as a model's products have it.
DOTS = {
    "bf16": (jnp.bfloat16, jnp.float32, None),
    "int8": (jnp.int8, jnp.int32, None),
    "f32": (jnp.float32, jnp.float32, None),
    "f32 exact": (jnp.float32, jnp.float32, "highest"),
}
PRODUCTS = [(4, 16384, 16384), (4096, 4608, 512), (1024, 1152, 128)]
IMAGES = [(64, 32, 128, 128), (64, 16, 256, 256), (64, 8, 512, 512)]


def ceilings(small: bool, ceiling: dict[str, float]) -> Works:
    """Bytes and operations a microsecond of a copy and of products; notes them."""
    size, n = (1 << 16, 128) if small else (1 << 28, 8192)

    def copy():
        row = of_program(lambda x: x + 1, jnp.zeros(size, jnp.float32))
        ceiling["bytes"] = 8 * size / row["us"]
        return row | {"GB/s": ceiling["bytes"] / 1e3}

    def dot(name):
        narrow, wide, precision = DOTS[name]
        a = jax.random.randint(jax.random.key(0), (n, n), -8, 8).astype(narrow)
        product = functools.partial(
            lax.dot, precision=precision, preferred_element_type=wide
        )
        row = of_program(product, a, a.T)
        ceiling[name] = 2 * n**3 / row["us"]
        return row | {"TOPS": ceiling[name] / 1e6}

    yield "copy f32", copy
    for name in DOTS:
        yield f"{name} dot {n}^3", functools.partial(dot, name)


def backends_here() -> tuple[str | None, ...]:
    """Back ends to be timed: the chosen one, XLA's, and the platform's own kernels."""
    platform = jax.default_backend()
    if platform == "cpu":
        return None, "lax_dot", "lax_popcount"
    own = ("tpu",) if platform == "tpu" else ("gpu", "ptx")
    kinds = itertools.product(own, ("popcount", "int8"))
    return None, "lax_dot", *("_".join(kind) for kind in kinds)


def products(small: bool, ceiling: dict[str, float]) -> Works:
    """Signs, both operands packed, by every back end of the platform."""
    for m, k, n in [(8, 64, 16)] if small else PRODUCTS:

        def timed(backend, m=m, k=k, n=n):
            a, b = pack(codes(0, (m, k), 1)), pack(codes(1, (k, n), 1), -2)
            moved, work = (m * k + k * n) / 8 + 4 * m * n, 2 * m * k * n
            floor = max(moved / ceiling["bytes"], work / ceiling["int8"])
            product = functools.partial(bit_matmul, backend=backend)
            return of_program(product, a, b) | {"floor_us": floor}

        for backend in backends_here():
            work = f"{m}x{k}x{n} 1 bit {backend or 'chosen'}"
            yield work, functools.partial(timed, backend)


def convolutions(small: bool, ceiling: dict[str, float]) -> Works:
    """3 x 3 on packed images, by every back end, beside XLA's in bf16."""
    for batch, side, channels, outputs in [(2, 4, 32, 8)] if small else IMAGES:
        image, window = (batch, side, side, channels), (3, 3, channels, outputs)
        pixels = batch * side * side

        def timed(backend, image=image, window=window, pixels=pixels):
            channels, outputs = window[2:]
            work = 18 * pixels * channels * outputs
            moved = (pixels + 9 * outputs) * channels / 8 + 4 * pixels * outputs
            floor = max(moved / ceiling["bytes"], work / ceiling["int8"])
            x, w = codes(0, image, 1), codes(1, window, 1)
            if backend == "bf16":
                call, operands = _plain, [v.values.astype(jnp.bfloat16) for v in (x, w)]
            else:
                call = functools.partial(bit_conv, backend=backend)
                operands = [pack(x), pack(w, -2)]
            return of_program(call, *operands) | {"floor_us": floor}

        for backend in (*backends_here(), "bf16"):
            work = f"conv {'x'.join(map(str, image))} to {outputs}"
            yield f"{work} {backend or 'chosen'}", functools.partial(timed, backend)


def _plain(x: jax.Array, w: jax.Array) -> jax.Array:
    return lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=DIMENSIONS)
