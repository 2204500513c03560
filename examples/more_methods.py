"""Methods by composition, on one small task: the table of docs/more_methods.md.

    python examples/more_methods.py [WORD ...]     # those with a word in their names

Softmax regression on 10,000 of MNIST's images, ten clients who are all at work, 40 rounds,
one seed, nothing tuned: that each method learns, and what its messages cost.
"""

import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import flq_jax as flq

EXAMPLES, CLIENTS, ROUNDS = 10_000, 10, 40
SHAPES = ((10,), (784, 10))  # of the parameters, b and w
SIZES = 10, 7840
d = sum(SIZES)
DIANA = "innovation(stochastic(1), rate=0.02)"
EPOCH, EPOCHS, GRADIENT = "epoch", "5 epochs", "gradient"

# name: (uplink, work, server's step along the mean, downlink, network)
METHODS = {
    "FedAvg in floats": ("direct(identity())", EPOCH),
    "FedPAQ": ("direct(stochastic(3))", EPOCH),
    "FedPAQ, coded": ("direct(entropy_coded(stochastic(3)))", EPOCH),
    "DAdaQuant": (
        "direct(one_of((stochastic(1), stochastic(2), stochastic(4), stochastic(8))))",
        EPOCH,
        1.0,
        "exact()",
        "dadaquant(everyone(10), 4, 4)",
    ),
    "AdaQuantFL": (
        "direct(one_of((stochastic(1), stochastic(2), stochastic(4), stochastic(8))))",
        EPOCH,
        1.0,
        "exact()",
        "adaquantfl(everyone(10), 4)",
    ),
    "fixed point, coded": ("direct(entropy_coded(fixed_point(8, 6)))", EPOCH),
    "coarse fixed point, coded": ("direct(entropy_coded(fixed_point(8, 2)))", EPOCH),
    "EDEN, 0.1 bit": ("direct(eden(0.1))", EPOCH),
    "EDEN, 0.02 bit": ("direct(eden(0.02))", EPOCH),
    "TernGrad": ("direct(terngrad())", EPOCH),
    "TernGrad, coded": ("direct(entropy_coded(terngrad()))", EPOCH),
    "z-SignFedAvg, Sto-Sign": ("direct(noisy_sign(0.02))", EPOCH),
    "FedMRN's link": ("direct(masked_noise(0.02))", EPOCH),
    "PowerSGD": ("error_feedback(low_rank(1, SHAPES))", EPOCH),
    "top-k": ("error_feedback(top_k(0.01, d))", EPOCH),
    "top-k, coded": (
        "error_feedback(entropy_coded(top_k(0.01, d, values=identity())))",
        EPOCH,
    ),
    "SparseLoCo, coded": (
        'error_feedback(entropy_coded(top_k(0.01, d, values=stochastic(1, "max"))), '
        "decay=0.95)",
        EPOCH,
    ),
    "SCALLION": ("direct(halved(eden(1)))", "SCALLION"),
    "SCAFCOM": ("direct(halved(top_k(0.05, d)))", "SCAFCOM"),
    "scaled signs": ("direct(segmented(sign(), SIZES))", EPOCHS),
    "FedBAT": ("direct(segmented(sign(), SIZES))", "FedBAT"),
    "FedPM": ("direct(entropy_coded(zero_one()))", "FedPM"),
    "GD in floats": ("direct(identity())", GRADIENT, 0.5),
    "QSGD": ("direct(stochastic(1))", GRADIENT, 0.5),
    "DIANA": (DIANA, GRADIENT, 0.5),
    "DIANA, coded": (
        "innovation(entropy_coded(stochastic(1)), rate=0.02)",
        GRADIENT,
        0.5,
    ),
    "Artemis": (
        DIANA,
        GRADIENT,
        0.5,
        "compressed(innovation(stochastic(7)), adopted=True)",
    ),
    "DORE": (
        DIANA,
        GRADIENT,
        0.5,
        "compressed(innovation(segmented(uniform(4), SIZES)))",
    ),
    "EF21": ("innovation(top_k(0.05, d))", GRADIENT, 0.5),
    "EF21-SGDM": ("momentum(innovation(top_k(0.05, d)), 0.5)", GRADIENT, 0.5),
    "EControl": ("econtrol(top_k(0.05, d), 0.05)", GRADIENT, 0.5),
    "GD in floats, small steps": ("direct(identity())", GRADIENT, 0.05),
    "MARINA, small steps": ("marina(stochastic(1), 0.05)", GRADIENT, 0.05),
    "DeComFL's scalars": ("direct(projected(20, d))", GRADIENT, 0.02),
}


def logits(params, inputs):
    """Of softmax regression."""
    return inputs.astype(jnp.float32) @ params["w"] + params["b"]


def error(params, inputs, targets):
    """Cross-entropy of each example."""
    targets = targets.astype(jnp.int32)
    return optax.softmax_cross_entropy_with_integer_labels(
        logits(params, inputs), targets
    )


def right(params, inputs, targets):
    """1 for each example that is told, 0 for the others."""
    return (jnp.argmax(logits(params, inputs), axis=-1) == targets).astype(jnp.float32)


def work(name: str) -> Any:
    """What a client computes."""
    loss, sgd = flq.mean_of(error), optax.sgd(0.05)
    return {
        EPOCH: flq.local_epochs(loss, sgd, 50, 1),
        EPOCHS: flq.local_epochs(loss, sgd, 50, 5),
        "FedBAT": flq.binarized_epochs(loss, sgd, 50, 5),
        "SCALLION": flq.scallion(loss, sgd, 50, 0.6, epochs=1),
        "SCAFCOM": flq.scafcom(loss, sgd, 50, 0.5, epochs=1),
        GRADIENT: None,
    }[name]


def made(expression: str) -> Any:
    """What an expression of the table says."""
    names = {name: getattr(flq, name) for name in flq.__all__}
    given = {"d": d, "SHAPES": SHAPES, "SIZES": SIZES}
    return eval(expression, names | given)  # noqa: S307 the table's own


def simulation(
    data, uplink, does, step=1.0, downlink="exact()", network="everyone(10)"
) -> flq.Simulation:
    """A run of one row of the table."""
    return flq.Simulation(
        {"b": np.zeros(10, np.float32), "w": np.zeros((784, 10), np.float32)},
        flq.mean_of(error),
        (data.train_inputs, data.train_labels),
        server=optax.sgd(step),
        clients=CLIENTS,
        client=work(does),
        uplink=made(uplink),
        downlink=made(downlink),
        network=made(network),
        test=(data.test_inputs, data.test_labels),
        evaluate={"accuracy": right},
    )


def fedpm(data, uplink) -> flq.Simulation:
    """Scores of masks over weights of +-e / sqrt(784), judged where masks are theta."""
    rng, size = np.random.default_rng(0), np.float32(np.e / 28)
    weights = {
        "b": size * rng.choice([-1, 1], 10),
        "w": size * rng.choice([-1, 1], SHAPES[1]),
    }
    weights = jax.tree.map(np.float32, weights)

    def judged(metric):
        def of_scores(scores, *examples):
            theta = jax.tree.map(jax.nn.sigmoid, scores)
            return metric(jax.tree.map(jnp.multiply, weights, theta), *examples)

        return of_scores

    loss = flq.mean_of(error)
    return flq.Simulation(
        jax.tree.map(lambda w: rng.standard_normal(w.shape), weights),
        judged(loss),
        (data.train_inputs, data.train_labels),
        server=flq.mask_server(),
        clients=CLIENTS,
        client=flq.mask_training(loss, weights, optax.sgd(100.0), 50, 5),
        uplink=made(uplink),
        test=(data.test_inputs, data.test_labels),
        evaluate={"accuracy": judged(right)},
    )


def flattened(data):
    """The data with images as rows, and of the training set as many as are taken."""
    rows = np.random.default_rng(0).permutation(len(data.train_labels))[:EXAMPLES]
    return data._replace(
        train_inputs=data.train_inputs[rows].reshape(EXAMPLES, -1),
        train_labels=data.train_labels[rows],
        test_inputs=data.test_inputs.reshape(len(data.test_labels), -1),
    )


def main(words: list[str]) -> None:
    """Prints the table's lines."""
    data = flattened(flq.data.load("mnist", ""))
    for name, row in METHODS.items():
        if words and not any(word in name for word in words):
            continue
        run = fedpm(data, row[0]) if row[1] == "FedPM" else simulation(data, *row)
        *_, last = run.run(rounds=ROUNDS, every=ROUNDS)
        bits = f"{last['uplink_bits']:.3e} | {last['downlink_bits']:.3e}"
        accuracy = 100 * last["accuracy"]
        others = [
            f", {what} `{part}`"
            for what, part in zip(("down", "network"), row[3:])
            if part != "exact()"
        ]
        link = f"`{row[0]}`{''.join(others)}"
        print(f"| {name} | {link} | {row[1]} | {accuracy:.2f} | {bits} |")
        jax.clear_caches()


if __name__ == "__main__":
    main(sys.argv[1:])
