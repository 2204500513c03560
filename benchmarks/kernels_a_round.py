"""Compiles rounds for a GPU that is not there, and counts what a round launches.

    python -m benchmarks.kernels_a_round --chip=sm_90a [--of=softmax,network,fedavg]

Prints a line of JSON for each round: kernels, copies and library calls that it launches,
how often the host has to read a number from the device for it to go on, and the memory
that the program takes beside its arguments. Grouping and all else are those that
`federated.suited` chooses for such a device. A launch takes some 2.5 to 5 us, so that this
is how long a round takes at least, whatever is computed. Needs the extra `gpu-compile`.

    softmax   FLQ (Binary), 1,000 clients with 60 examples, softmax regression
    network   the same of the network with 200 hidden units
    fedavg    FedAvg, 100 clients with 600 examples, the CNN of 1.66 M parameters
"""

import json
import tempfile
import time
from functools import partial
from typing import Any, NamedTuple

from absl import app, flags

from . import compile_kernels, launches

WHICH = flags.DEFINE_list("of", ["softmax", "network", "fedavg"], "Which.")
LOOPS = flags.DEFINE_bool("loops", False, "A line for each loop, too.")
CHUNK = 10  # rounds of a program
# Launches of a round at most, and none of them waits for the host.
BOUNDS = {"softmax": 60, "network": 90, "fedavg": 2500}


class Case(NamedTuple):
    """A federation on one device, as shapes: nothing of it is computed.

    Attributes:
        federation: what its rounds are made of.
        state: before a round.
        data: of its clients.
    """

    federation: Any
    state: Any
    data: Any


def case(name: str, device: Any) -> Case:
    """One of those above, on that device."""
    import jax
    import jax.numpy as jnp
    import optax

    from flq_jax import compressors, federated, models, quantizers
    from flq_jax.data.clients import ClientData

    averages = name == "fedavg"
    clients, examples = (100, 600) if averages else (1000, 60)
    model = {
        "softmax": models.Logistic,
        "network": models.MLP,
        "fedavg": models.mcmahan_cnn,
    }[name]()
    image = jnp.zeros((1, 28, 28))
    params = jax.eval_shape(model.init, jax.random.key(0), image)["params"]
    loss = models.classification_loss(model, 0.0 if averages else 0.01)
    if averages:
        client = federated.local_epochs(loss, optax.sgd(0.1), batch=20, epochs=1)
        uplink, down, step = compressors.direct(quantizers.identity()), None, 1.0
    else:
        client = federated.gradient(loss, 50)
        link = compressors.innovation(quantizers.sign())
        uplink = compressors.lazy(link, weight=3.0, error_weight=0.0)
        eight = quantizers.segmented(
            quantizers.uniform(8), [x.size for x in jax.tree.leaves(params)]
        )
        down, step = federated.compressed(compressors.direct(eight)), 20.0
    mesh = federated.client_mesh(clients, [device])
    federation = federated.federation(
        params,
        client,
        uplink,
        optax.sgd(step),
        federated.everyone(clients),
        step_size=step,
        grouping=federated.suited(client, params, mesh, [examples] * clients),
        **({"downlink": down} if down else {}),
    )
    like = jax.ShapeDtypeStruct
    data = ClientData(
        like((clients, examples, 28, 28), jnp.uint8),
        like((clients, examples), jnp.int32),
        like((clients,), jnp.int32),
    )
    state = jax.eval_shape(lambda p: federated.init(federation, p, clients), params)
    return Case(federation, state, data)


def compiled(case: Case, device: Any) -> Any:
    """The program of `CHUNK` rounds, compiled for the device."""
    import jax
    import jax.numpy as jnp
    from jax.sharding import SingleDeviceSharding

    from flq_jax import federated, keys

    def chunk(state, data, start):
        step = partial(federated.round_step, case.federation, keys.seed_key(0), data)
        return federated.run_rounds(step, state, start, None, CHUNK)

    here = SingleDeviceSharding(device)
    index = jax.ShapeDtypeStruct((), jnp.int32)
    args = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=here),
        (case.state, case.data, index),
    )
    traced = jax.jit(chunk, donate_argnums=0).trace(*args)
    return traced.lower(lowering_platforms=("cuda",)).compile()


def lines(loop: launches.Loop, depth: int = 0) -> list[dict]:
    """What each loop launches in a trip, outermost first."""
    here = {"depth": depth, "trips": loop.trips} | loop.once._asdict()
    return [here] + [line for inner in loop.loops for line in lines(inner, depth + 1)]


def main(argv: list[str]) -> None:
    """Compiles every round."""
    del argv
    chip = compile_kernels.CHIP.value
    with tempfile.TemporaryDirectory() as dump:
        compile_kernels.prepare(chip, dump)
        device = compile_kernels.topology(chip).devices[0]
        for name in WHICH.value:
            begin = time.perf_counter()
            program = compiled(case(name, device), device)
            loop = launches.a_round(program.as_text())
            memory = program.memory_analysis()
            row = {"target": chip, "round": name, "launches": loop.once.total}
            row |= loop.once._asdict() | {"most": BOUNDS[name]}
            row["megabytes"] = round(memory.temp_size_in_bytes / 1e6)
            row["seconds"] = round(time.perf_counter() - begin, 1)
            print(json.dumps(row), flush=True)
            for line in lines(loop) if LOOPS.value else ():
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    flags.mark_flag_as_required("chip")
    app.run(main)
