"""A training step of low-bit networks, and what they take to judge a batch."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from flq_jax import models

from ..products import gradient_operations
from .measure import Works, of_program

STEP = 0.1
WIDTHS = {"floats": models.Bits(), "W1A2": models.Bits(1, 2, 32)}


class Network(NamedTuple):
    """What is trained: a constructor that takes `bits`, its images, how many at once."""

    make: Callable[..., nn.Module]
    image: tuple[int, ...]
    batch: int


def networks(small: bool) -> dict[str, Network]:
    """A CNN on digits and two residual networks on colour images."""
    if small:
        cnn = functools.partial(models.CNN, (4,))
        resnet = functools.partial(models.ResNet, (1,), (4,))
        return {
            "CNN": Network(cnn, (8, 8), 2),
            "ResNet": Network(resnet, (8, 8, 3), 2),
        }
    return {
        "CNN of 1.66 M": Network(models.mcmahan_cnn, (28, 28), 256),
        "ResNet-8": Network(models.resnet8, (32, 32, 3), 256),
        "ResNet-18": Network(models.resnet18, (32, 32, 3), 128),
    }


def steps(small: bool, ceiling: dict[str, float]) -> Works:
    """SGD's step by the mean gradient of a batch; and its logits, packed if they may be."""
    for name, network in networks(small).items():
        for bits in WIDTHS:
            work = f"{name}, batch of {network.batch}, {bits}"
            yield f"{work}, step", functools.partial(step, network, bits, ceiling)
            forms = ("unpacked", "packed") if bits != "floats" else ("f32", "bf16")
            for form in forms:
                judged = functools.partial(logits, network, bits, form, ceiling)
                yield f"{work}, logits {form}", judged


def drawn(network: Network, bits: str) -> tuple[nn.Module, dict, jax.Array]:
    """(the network, its parameters, a batch of images)."""
    net, key = network.make(bits=WIDTHS[bits]), jax.random.key(0)
    images = jax.random.uniform(key, (network.batch, *network.image))
    variables = jax.jit(net.init)(jax.random.key(1), images[:1])
    return net, variables["params"], images


def step(network: Network, bits: str, ceiling: dict[str, float]) -> dict:
    """params -> params, one step further; its gradient's operations as the floor."""
    net, params, images = drawn(network, bits)
    loss, batch = models.classification_loss(net), network.batch
    labels, weights = jnp.arange(batch) % 10, jnp.full(batch, 1 / batch)

    def stepped(params, key):
        grads = jax.grad(loss)(params, images, labels, weights, key)
        return jax.tree.map(lambda leaf, grad: leaf - STEP * grad, params, grads)

    work = batch * gradient_operations(net, network.image)
    floor = work / ceiling["f32"]
    return of_program(stepped, params, jax.random.key(2)) | {"floor_us": floor}


def logits(network: Network, bits: str, form: str, ceiling: dict[str, float]) -> dict:
    """Images -> logits, weights rounded and laid out within; operations as the floor."""
    net, params, images = drawn(network, bits)
    if form == "packed":
        net = net.clone(packed=True)
    if form == "bf16":
        params, images = jax.tree.map(
            lambda leaf: leaf.astype(jnp.bfloat16), (params, images)
        )
    macs = sum(cost.macs for cost in models.layer_costs(net, network.image))
    rate = ceiling[{"packed": "int8", "bf16": "bf16"}.get(form, "f32")]
    floor = 2 * network.batch * macs / rate
    judge = lambda params, images: net.apply({"params": params}, images)  # noqa: E731
    return of_program(judge, params, images) | {"floor_us": floor}
