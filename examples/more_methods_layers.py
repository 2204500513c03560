"""Methods that ask for a model of layers: the second table of docs/more_methods.md.

    python examples/more_methods_layers.py [WORD ...]     # those with a word in their names

A network of 784-64-32-10 units on 10,000 of MNIST's images, ten clients who are all at work,
40 rounds of one epoch in batches of 50 at a rate of 0.1, one seed, nothing tuned.
"""

import pathlib
import runpy
import sys
from typing import Any

import jax
import jax.numpy as jnp
import optax

import flq_jax as flq
from flq_jax import models

SHARED = runpy.run_path(str(pathlib.Path(__file__).with_name("more_methods.py")))
HIDDEN, BITS, ROUNDS, CLIENTS = (64, 32), 4, 40, 10
FLOATS = "direct(entropy_coded(apart(segmented(identity(), SIZES))))"

# name: (uplink, work, downlink, whether layers have biases); SIZES are of what is broadcast
METHODS = {
    "FedAvg, MLP": ("direct(identity())", "epoch", "exact()", True),
    "FedLUAR, one layer of three": (FLOATS, "FedLUAR", "exact()", True),
    "FedLUAR, in three bits": (
        "direct(entropy_coded(apart(segmented(stochastic(3), SIZES))))",
        "FedLUAR",
        "exact()",
        True,
    ),
    "FedAvg, MLP without biases": ("direct(identity())", "epoch", "exact()", False),
    "FedBiF": (
        "direct(zero_one())",
        "FedBiF",
        "compressed(direct(segmented(twos_complement(4), SIZES)))",
        False,
    ),
}


def work(name: str, loss: Any, shapes: list[tuple[int, ...]]) -> flq.LocalUpdate:
    """What a client computes."""
    sgd = optax.sgd(0.1)
    if name == "FedBiF":
        return flq.bit_training(loss, sgd, 50, 1, BITS, shapes)
    epoch = flq.local_epochs(loss, sgd, 50, 1)
    return flq.fedluar(epoch, 1, shapes) if name == "FedLUAR" else epoch


def simulation(data, uplink, does, downlink, biases) -> flq.Simulation:
    """A run of one row of the table."""
    model = models.MLP(HIDDEN, use_bias=biases)
    params = model.init(jax.random.key(0), jnp.zeros((1, 784)))["params"]

    def error(params, inputs, targets):
        logits = model.apply({"params": params}, inputs.astype(jnp.float32))
        return optax.softmax_cross_entropy_with_integer_labels(
            logits, targets.astype(jnp.int32)
        )

    def right(params, inputs, targets):
        logits = model.apply({"params": params}, inputs.astype(jnp.float32))
        return (jnp.argmax(logits, axis=-1) == targets).astype(jnp.float32)

    shapes = [leaf.shape for leaf in jax.tree.leaves(params)]
    client = work(does, flq.mean_of(error), shapes)
    sent = jax.tree.leaves(jax.eval_shape(client.broadcast, params))
    names = {name: getattr(flq, name) for name in flq.__all__}
    names["SIZES"] = [leaf.size for leaf in sent]
    return flq.Simulation(
        params,
        flq.mean_of(error),
        (data.train_inputs, data.train_labels),
        server=optax.sgd(1.0),
        clients=CLIENTS,
        client=client,
        uplink=eval(uplink, names),  # noqa: S307 the table's own
        downlink=eval(downlink, names),  # noqa: S307
        test=(data.test_inputs, data.test_labels),
        evaluate={"accuracy": right},
    )


def main(words: list[str]) -> None:
    """Prints the table's lines."""
    data = SHARED["flattened"](flq.data.load("mnist", ""))
    for name, (uplink, does, downlink, biases) in METHODS.items():
        if words and not any(word in name for word in words):
            continue
        run = simulation(data, uplink, does, downlink, biases)
        *_, last = run.run(rounds=ROUNDS, every=ROUNDS)
        bits = f"{last['uplink_bits']:.3e} | {last['downlink_bits']:.3e}"
        down = "" if downlink == "exact()" else f", down `{downlink}`"
        accuracy = 100 * last["accuracy"]
        print(
            f"| {name} | `{uplink}`{down} | {does} | {accuracy:.2f} | {bits} |",
            flush=True,
        )
        jax.clear_caches()


if __name__ == "__main__":
    main(sys.argv[1:])
