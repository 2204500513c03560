"""DAdaQuant and AdaQuantFL on Synthetic(1, 1), beside Table 2 of Hönig et al. (2022).

    python examples/dadaquant_synthetic.py [WORD ...]    # those with a word in their names

The paper's set-up: 30 clients of Li et al.'s (2020) Synthetic(1, 1), 80 % of whose examples
train, softmax regression (610 parameters), ten clients a round, FedProx with mu = 1, 20
epochs in batches of 10 at a rate of 0.01, 500 rounds, phi = 50, psi = 0.9, levels 1 to 16.
Printed are the best accuracy of all clients' test examples, every ten rounds, and how many
times fewer bits went up than the 12.2 MB of floats. Other than there: the data are drawn anew,
all clients take all epochs, and DAdaQuant's levels are sent without an entropy code. A minute
of a free core a row.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

import flq_jax as flq

CLIENTS, ASKED, INPUTS, CLASSES, ROUNDS = 30, 10, 60, 10, 500
FLOATS = 32 * ASKED * (INPUTS + 1) * CLASSES * ROUNDS  # bits
LEVELS = 1, 2, 4, 8, 16
DOUBLING = flq.direct(flq.one_of([flq.stochastic(s) for s in LEVELS]))
# name: (uplink, network of the clients' numbers of examples, as published)
METHODS = {
    "floats": (flq.direct(flq.identity()), None, "78.3 %, 1"),
    "FedPAQ": (flq.direct(flq.stochastic(16)), None, "78.2 %, 6.4"),
    "Federated QSGD": (
        flq.direct(flq.entropy_coded(flq.stochastic(16))),
        None,
        "78.2 %, 17",
    ),
    "DAdaQuant time": (
        DOUBLING,
        lambda counts: flq.dadaquant(flq.sampled(ASKED, CLIENTS), 5, 50),
        "78.2 %, 37 coded",
    ),
    "DAdaQuant": (
        DOUBLING,
        lambda counts: flq.dadaquant(
            flq.sampled(ASKED, CLIENTS), 5, 50, examples=counts
        ),
        "78.1 %, 48 coded",
    ),
    "AdaQuantFL": (
        DOUBLING,
        lambda counts: flq.adaquantfl(flq.sampled(ASKED, CLIENTS), 5),
        "none",
    ),
}


def synthetic(rng, alpha=1.0, beta=1.0):
    """[(inputs f32[n, 60], labels i32[n])] of each client (Li et al. 2020, App. C.1).

    y = argmax(x W_m + b_m), with W_m, b_m ~ N(u_m, 1), u_m ~ N(0, alpha), and x ~ N(v_m,
    Sigma), where v_m ~ N(B_m, 1), B_m ~ N(0, beta) and Sigma_jj = j^-1.2; n is 50 and a
    log-normal number. Here alpha and beta are 1, a variance as a deviation.
    """
    counts = rng.lognormal(4.0, 2.0, CLIENTS).astype(int) + 50
    means, centres = rng.normal(0, alpha, CLIENTS), rng.normal(0, beta, CLIENTS)
    deviations = np.arange(1, INPUTS + 1) ** -0.6
    found = []
    for count, mean, centre in zip(counts, means, centres):
        where = rng.normal(centre, 1.0, INPUTS)
        w, b = rng.normal(mean, 1.0, (INPUTS, CLASSES)), rng.normal(mean, 1.0, CLASSES)
        x = where + deviations * rng.standard_normal((count, INPUTS))
        found.append((np.float32(x), np.argmax(x @ w + b, axis=1).astype(np.int32)))
    return found


def logits(params, inputs):
    """Of softmax regression."""
    return inputs @ params["w"] + params["b"]


def error(params, inputs, targets):
    """Cross-entropy of each example."""
    return optax.softmax_cross_entropy_with_integer_labels(
        logits(params, inputs), targets
    )


def right(params, inputs, targets):
    """1 for each example that is told, 0 for the others."""
    return (jnp.argmax(logits(params, inputs), axis=-1) == targets).astype(jnp.float32)


def halves(clients, rng):
    """(a client's first 80 %, the rest) of all, in an order drawn for each."""
    train, test = [], []
    for x, y in clients:
        rows = rng.permutation(len(y))
        cut = int(0.8 * len(y))
        train.append((x[rows[:cut]], y[rows[:cut]]))
        test.append((x[rows[cut:]], y[rows[cut:]]))
    return train, test


def run(name, seed=0):
    """(the best accuracy, how many times fewer bits than in floats)."""
    rng = np.random.default_rng(seed)
    clients = synthetic(rng)
    while max(len(y) for _, y in clients) > 6000:  # the paper's largest has 5,953
        clients = synthetic(rng)
    train, test = halves(clients, rng)
    uplink, network, _ = METHODS[name]
    network = network or (lambda counts: flq.sampled(ASKED, CLIENTS))
    loss = flq.mean_of(error)
    simulation = flq.Simulation(
        {"w": np.zeros((INPUTS, CLASSES)), "b": np.zeros(CLASSES)},
        loss,
        train,
        server=optax.sgd(1.0),
        client=flq.fedprox(loss, optax.sgd(0.01), 10, mu=1.0, epochs=20),
        uplink=uplink,
        network=network([len(y) for _, y in train]),
        test=tuple(np.concatenate(part) for part in zip(*test)),
        evaluate={"accuracy": right},
        seed=seed,
    )
    rows = list(simulation.run(rounds=ROUNDS, every=10))
    best = max(row["accuracy"] for row in rows)
    return best, FLOATS / rows[-1]["uplink_bits"]


def main(words: list[str]) -> None:
    """Prints the table's lines."""
    print("| method | accuracy (%) | times fewer bits | published |\n|---|---|---|---|")
    for name, (*_, published) in METHODS.items():
        if words and not any(word in name for word in words):
            continue
        accuracy, fewer = run(name)
        print(
            f"| {name} | {100 * accuracy:.1f} | {fewer:.1f} | {published} |", flush=True
        )
        jax.clear_caches()


if __name__ == "__main__":
    main(sys.argv[1:])
