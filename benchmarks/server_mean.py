"""Compiles a round for a GPU that is not there, and tells whether it multiplies in TF32.

    python -m benchmarks.server_mean --chip=sm_90a

Prints a line of JSON for each program: how many of its matrix instructions take TF32, whose
factors have ten bits of mantissa. The last one is a mean of the same size whose precision
nobody states. The clients' loss has no product, so that what stands in a round is the
library's own. Needs the extra `gpu-compile`.
"""

import functools
import itertools
import json
import pathlib
import tempfile

from absl import app

from . import compile_kernels, machine_code

CLIENTS, LENGTH = (
    1000,
    159_010,
)  # from about here XLA multiplies what it otherwise adds up
TF32 = {"tf32": r"\b(?:mma\.sync|wgmma\.mma_async)\.\S*tf32"}


def rounds():
    """(name, round function, its arguments as shapes): links of floats and of bits."""
    import jax
    import jax.numpy as jnp
    import optax

    from flq_jax import compressors, federated, keys, quantizers
    from flq_jax.data.clients import ClientData

    def loss(params, inputs, labels, weights, key):
        del labels, key
        return jnp.sum(weights * jnp.sum((params - inputs) ** 2, 1))

    like = jax.ShapeDtypeStruct
    params = like((LENGTH,), jnp.float32)
    data = ClientData(
        like((CLIENTS, 1, LENGTH), jnp.float32),
        like((CLIENTS, 1), jnp.int32),
        like((CLIENTS,), jnp.int32),
    )

    def step(fed, data, state, index):
        return federated.round_step(fed, keys.seed_key(0), data, state, index)

    parts = {"floats": quantizers.identity(), "bits": quantizers.sign()}
    for (name, part), lossless in itertools.product(parts.items(), (True, False)):
        network = federated.everyone(CLIENTS)._replace(lossless=lossless)
        fed = federated.federation(
            params, federated.gradient(loss), compressors.direct(part), optax.sgd(0.5),
            network, step_size=0.5,
        )  # fmt: skip
        state = jax.eval_shape(lambda p, f=fed: federated.init(f, p, CLIENTS), params)
        passes = "one pass" if lossless else "two passes"
        args = data, state, like((), jnp.int32)
        yield f"{name}, {passes}", functools.partial(step, fed), args


def unstated():
    """(name, function, arguments) of the mean that an accelerator may round."""
    import jax
    import jax.numpy as jnp

    shapes = (CLIENTS,), (CLIENTS, LENGTH)
    args = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    return "unstated", jnp.dot, args


def instructions(function, args, device, dump: pathlib.Path) -> dict[str, int]:
    """How many of what `TF32` names stand in the program; `dump` then holds its PTX."""
    import jax
    from jax.sharding import SingleDeviceSharding

    here = SingleDeviceSharding(device)
    args = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=here), args
    )
    for old in dump.glob("*.ptx"):
        old.unlink()
    jax.jit(function).trace(*args).lower(lowering_platforms=("cuda",)).compile()
    texts = [path.read_text(encoding="utf-8") for path in dump.glob("*.ptx")]
    if not texts:
        raise ValueError(f"instructions: {dump} must hold the program's PTX, got none")
    return machine_code.counted("\n".join(texts), TF32)


def main(argv: list[str]) -> None:
    """Compiles every program."""
    del argv
    chip = compile_kernels.CHIP.value
    with tempfile.TemporaryDirectory() as dump:
        compile_kernels.prepare(chip, dump)
        device = compile_kernels.topology(chip).devices[0]
        for name, function, args in (*rounds(), unstated()):
            found = instructions(function, args, device, pathlib.Path(dump))
            print(json.dumps({"target": chip, "program": name} | found), flush=True)


if __name__ == "__main__":
    app.run(main)
