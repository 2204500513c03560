"""Every part of one's own: quantizer, model, loss, clients with memory, server, users.

    python examples/own_parts.py

Thirty users, each with as many examples as she happens to have and an optimum of her own,
fit one small network by SCAFFOLD, in two bits a number.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import flq_jax as flq


def ternary() -> flq.Quantizer:
    """x_hat = s t, t in {-1, 0, 1}: zero below half the largest magnitude s."""

    def layout(d):
        return flq.Layout.of("my-ternary", bits=2, num_codes=d, num_sides=1)

    def encode(key, x):
        scale = jnp.max(jnp.abs(x))
        codes = (jnp.sign(x) * (jnp.abs(x) > scale / 2) + 1).astype(jnp.uint8)
        return flq.Message(codes, scale[None], jnp.int32(layout(x.size).length))

    def decode(key, message):
        return message.side[0] * (message.codes.astype(jnp.float32) - 1)

    return flq.Quantizer(encode, decode, layout)


def network(model, inputs):
    """One hidden layer, f32[b, 4] -> f32[b]."""
    return jnp.tanh(inputs @ model["in"] + model["bias"]) @ model["out"]


@flq.mean_of
def loss(params, inputs, targets):
    """Huber's, so that a few wild targets do not lead."""
    return optax.huber_loss(network(params["model"], inputs), targets)


def squared_error(params, inputs, targets):
    return (network(params["model"], inputs) - targets) ** 2


def scaffold(steps: int, rate: float) -> flq.LocalUpdate:
    """SCAFFOLD (Karimireddy et al. 2020) with its second way to a control variate.

    The params are {"model": x, "control": c}; each client remembers its c_m:

        w <- w - rate (grad f_m(w) - c_m + c),   `steps` times from w = x,
        c_m <- c_m - c + (x - w) / (steps rate).
    """

    def update(key, params, shard, mine):
        examples = flq.whole(shard)
        start, shared = params["model"], params["control"]

        def local(model):
            return loss({"model": model}, *examples, key)

        def step(w, _):
            moves = jax.tree.map(
                lambda g, c_m, c: rate * (g - c_m + c), jax.grad(local)(w), mine, shared
            )
            return jax.tree.map(jnp.subtract, w, moves), None

        w, _ = jax.lax.scan(step, start, None, length=steps)
        moved = jax.tree.map(jnp.subtract, start, w)
        new = jax.tree.map(
            lambda c_m, c, x: c_m - c + x / (steps * rate), mine, shared, moved
        )
        news = {"model": moved, "control": jax.tree.map(jnp.subtract, mine, new)}
        return local(start), news, new

    def init(params):
        return jax.tree.map(jnp.zeros_like, params["control"])

    return flq.LocalUpdate(update, init, steps=steps)


def users(seed: int = 0):
    """(inputs f32[n, 4], targets f32[n], whose each is str[n])."""
    rng = np.random.default_rng(seed)
    names = [f"user {m:02d}" for m in range(30)]
    owners = rng.choice(names, 600, p=rng.dirichlet(np.ones(30)))
    _, which = np.unique(owners, return_inverse=True)
    inputs = rng.standard_normal((600, 4)) + rng.standard_normal((30, 4))[which]
    targets = np.sin(inputs @ rng.standard_normal(4)) + 0.1 * rng.standard_normal(600)
    return inputs, targets, owners


def simulation() -> flq.Simulation:
    rng = np.random.default_rng(1)
    model = {
        "bias": np.zeros(16),
        "in": rng.standard_normal((4, 16)) / 2,
        "out": rng.standard_normal(16) / 4,
    }
    params = {"model": model, "control": jax.tree.map(np.zeros_like, model)}
    sizes = [leaf.size for leaf in jax.tree.leaves(params)]
    inputs, targets, owners = users()
    rule = {"model": optax.yogi(0.03), "control": optax.sgd(1.0)}
    return flq.Simulation(
        params,
        loss,
        (inputs[:500], targets[:500]),
        owners=owners[:500],
        client=scaffold(steps=5, rate=0.1),
        uplink=flq.error_feedback(flq.segmented(ternary(), sizes)),
        downlink=flq.compressed(flq.innovation(flq.segmented(flq.uniform(8), sizes))),
        server=optax.multi_transform(rule, {name: name for name in rule}),
        test=(inputs[500:], targets[500:]),
        evaluate={"test_error": squared_error},
    )


def main() -> None:
    flq.check_quantizer(ternary(), flq.Claims(error=lambda x: jnp.max(jnp.abs(x)) / 2))
    for row in simulation().run(rounds=200, every=50):
        print(row)


if __name__ == "__main__":
    main()
