"""A method of one's own: its parts, its config and its sweep; README.md has commands.

Twenty users, each with digits of her own, train a convolutional network by SCAFFOLD, in
two bits a number up and eight down.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

import flq_jax as flq
from flq_jax.configs import default


def ternary(threshold: float | jax.Array = 0.7) -> flq.Quantizer:
    """x_hat_i = s sign(x_i) [|x_i| > t mean |x|], s the mean of those |x_i|."""

    def layout(d):
        return flq.Layout.of("own-ternary", bits=2, num_codes=d, num_sides=1)

    def encode(key, x):
        size = jnp.abs(x)
        kept = size > threshold * jnp.mean(size)
        scale = jnp.sum(size * kept) / jnp.maximum(jnp.sum(kept), 1)
        codes = (jnp.sign(x) * kept + 1).astype(jnp.uint8)  # 0, 1, 2
        return flq.Message(codes, scale[None], jnp.int32(layout(x.size).length))

    def decode(key, message):
        return message.side[0] * (message.codes.astype(jnp.float32) - 1)

    return flq.Quantizer(encode, decode, layout)


class Net(nn.Module):
    @nn.compact
    def __call__(self, images):
        maps = nn.GroupNorm(4)(nn.Conv(8, (5, 5), strides=4)(images[..., None]))
        return nn.Dense(10)(nn.relu(maps).reshape(len(maps), -1))


class Controlled(nn.Module):
    """The params {"model": x, "control": c}: SCAFFOLD's server keeps both."""

    model: nn.Module

    @nn.compact
    def __call__(self, images):
        logits, params = self.model(images), self.variables["params"]
        self.param("control", lambda key: optax.tree.zeros_like(params["model"]))
        return logits


def focal(model: nn.Module, gamma: float | jax.Array = 2.0) -> flq.Task:
    """-(1 - p)^gamma log p of the label's probability p (Lin et al. 2017, Eq. 4)."""

    def loss(params, inputs, labels):
        logits = model.apply({"params": params}, inputs)
        log_p = -optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return -((1 - jnp.exp(log_p)) ** gamma) * log_p

    def right(params, inputs, labels):
        return jnp.argmax(model.apply({"params": params}, inputs), -1) == labels

    return flq.Task(flq.mean_of(loss), {"test_accuracy": right})


def scaffold(loss, steps: int, rate: float | jax.Array, batch: int) -> flq.LocalUpdate:
    """SCAFFOLD (Karimireddy et al. 2020), its second control variate; c_m is remembered.

    w <- w - rate (grad f_m(w) - c_m + c);  c_m <- c_m - c + (x - w) / (steps rate).
    """

    def update(key, params, shard, mine):
        x, c = params["model"], params["control"]  # c_m is `mine`

        def step(w, number):
            for_rows, for_loss = jax.random.split(jax.random.fold_in(key, number))
            drawn, at = flq.drawn(for_rows, shard, batch), {**params, "model": w}
            value, grad = jax.value_and_grad(loss)(at, *drawn, for_loss)
            move = optax.tree.add(optax.tree.sub(grad["model"], mine), c)
            return optax.tree.add_scale(w, -rate, move), value

        w, losses = jax.lax.scan(step, x, jnp.arange(steps))
        moved = optax.tree.sub(x, w)
        fall = optax.tree.add_scale(c, -1 / (steps * rate), moved)  # of c_m
        news = {"model": moved, "control": fall}
        return jnp.mean(losses), news, optax.tree.sub(mine, fall)

    return flq.LocalUpdate(update, lambda params: params["control"], batch, steps)


def server(step: float | jax.Array) -> optax.GradientTransformation:
    """Yogi (Zaheer et al. 2018) for the model; c follows the mean of the c_m."""
    rules = {"model": optax.yogi(step), "control": optax.sgd(1.0)}
    return optax.multi_transform(rules, {name: name for name in rules})


def get_config():
    config = default.get_config()
    config.rounds, config.clients = 100, 20
    config.data, config.split = 'npz("users.npz")', "natural()"
    config.model, config.task = "Controlled(Net())", "focal()"
    config.client = "scaffold(steps=5, rate=rate, batch=20)"
    config.uplink = "error_feedback(segmented(quantizer))"
    config.downlink = "segmented(uniform(8))"
    config.step, config.server = "0.01", "server(step)"
    config.let.update(quantizer="ternary()", rate=0.1)
    config.log.every, config.log.checkpoint_every = 10, 20
    return config


def sweep():
    """Two quantizers by three rates; those of one quantizer are one compiled program."""
    configs = {}
    for name in ("ternary", "sign"):
        for rate in (0.03, 0.1, 0.3):
            config = configs[f"{name}-rate{rate}"] = get_config()
            config.let.update(quantizer=f"{name}()", rate=rate)
    return configs
