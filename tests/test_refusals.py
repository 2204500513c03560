"""Every public constructor refuses what cannot be, in one line that names it."""

import inspect
import math
import re

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import flq_jax as flq
from flq_jax import data, models
from flq_jax.data import partition
from flq_jax.models import Bits, layers
from flq_jax.wireless import scheduling

NAN, INF = math.nan, math.inf
KINDS = ("a", None, [1], NAN)  # no integers, and no numbers but for NaN
INTEGERS = (*KINDS, 2.0, True, INF, 2**40)
NUMBERS = (*KINDS, True)
POSITIVE = (*NUMBERS, 0.0, -1.0, INF, 1e39, 1e-46)
NOT_NEGATIVE = (*NUMBERS, -1.0, INF, 1e39, 1e-46)
CHANCE = (*NUMBERS, 0.0, -0.1, 1.1)
SHARE = (*NUMBERS, -0.1, 1.0, 1 - 1e-9)
BITS = (*INTEGERS, 0, 9)
NAMES = ("b", 1, ["l2"], None)
PARTS = (1.0, "a", None, flq.sign, optax.sgd(0.1))
FUNCTIONS = (500, "a", None)
FLAGS = ("no", 1, None)
LABELS = np.arange(12) % 3
GRID = flq.uniform(8, flq.geometric(1.0, 0.998))
CODED = flq.entropy_coded(flq.sign())
SEVERAL = flq.one_of((flq.sign(), flq.identity()))


def loss(params, inputs, targets, weights, key):
    return 0.0


def without(values, *allowed):
    """The values but for those that mean something here."""
    return [value for value in values if value not in allowed]


STEPS = {"loss": loss, "optimizer": optax.sgd(0.1), "batch": 20}
WRONG_STEPS = {
    "loss": FUNCTIONS,
    "optimizer": (0.1, "a", None, optax.sgd),
    "batch": (*INTEGERS, 0),
}
EITHER = {"epochs": (*INTEGERS, 0, -1), "steps": (*INTEGERS, -1, 2)}

# constructor: (arguments that it takes, for some of them what must be refused)
REFUSED = {
    flq.alq: (
        {"bits": 4},
        {"bits": (*BITS, 1), "norm": NAMES, "sweeps": (*INTEGERS, 0)},
    ),
    flq.nuqsgd: ({"bits": 4}, {"bits": (*BITS, 1), "norm": NAMES}),
    flq.stochastic: ({"levels": 7}, {"levels": (*INTEGERS, 0, 128), "norm": NAMES}),
    flq.uniform: ({"bits": 4}, {"bits": BITS, "radius": (0.5, "a")}),
    flq.geometric: (
        {"scale": 1.0, "rate": 0.5},
        {"scale": POSITIVE, "rate": (*NUMBERS, 0.0, 1.1, 1e-46)},
    ),
    flq.sign: ({}, {"scale": without(POSITIVE, None)}),
    flq.terngrad: ({}, {"clip": (*NUMBERS, 0.0, -1.0, 1e-46, 1e39)}),
    flq.fixed_point: (
        {"bits": 8, "fraction": 9},
        {"bits": (*BITS, 1), "fraction": (*INTEGERS, -101, 101)},
    ),
    flq.lloyd_max: (
        {"levels": 4},
        {"levels": (*INTEGERS, 1, 257), "source": without(NAMES, None)},
    ),
    flq.codebook: (
        {"values": (-1.0, 1.0)},
        {"values": ("a", None, (1.0,), (1.0, 1.0), (0.0, NAN), (1.0, "a"), [[1.0]])},
    ),
    flq.drive: ({}, {"unbiased": FLAGS}),
    flq.drive_plus: ({}, {"unbiased": FLAGS}),
    flq.eden: ({"bits": 0.5}, {"bits": (*NUMBERS, 0.0, -1.0, 8.1), "unbiased": FLAGS}),
    flq.quic_fl: ({}, {"shared_bits": BITS}),
    flq.thc: (
        {},
        {
            "bits": BITS,
            "granularity": (*INTEGERS, 14, 256),
            "norm": without(POSITIVE, None),
            "outside": (*SHARE, 0.0),
            "seed": (*INTEGERS, -1),
        },
    ),
    flq.uveqfed: (
        {},
        {"lattice": NAMES, "bits": (*BITS, 1), "reach": without(POSITIVE, None)},
    ),
    flq.tanh_grid: ({"bits": 4}, {"bits": (*BITS, 1)}),
    flq.top_k: (
        {"k": 2, "d": 9},
        {
            "k": (*NUMBERS, 0, 10, 2.0, 0.0),
            "d": (*INTEGERS, 0),
            "values": (*without(PARTS, None), GRID, SEVERAL, CODED),
        },
    ),
    flq.rand_k: (
        {"k": 2, "d": 9},
        {"k": (*NUMBERS, 0, 10, 2.0, 0.0), "d": (*INTEGERS, 0)},
    ),
    flq.bucketed: (
        {"quantizer": flq.sign(), "size": 3},
        {
            "quantizer": (*PARTS, GRID, SEVERAL, flq.drive(), flq.top_k(2, 3)),
            "size": (*INTEGERS, 0),
        },
    ),
    flq.in_parts: (
        {"quantizer": flq.sign(), "parts": 3},
        {
            "quantizer": (*PARTS, GRID, SEVERAL),
            "parts": (*INTEGERS, 0),
        },
    ),
    flq.twos_complement: ({"bits": 4}, {"bits": (*BITS, 1)}),
    flq.apart: ({"quantizer": flq.sign()}, {"quantizer": (*PARTS, GRID, SEVERAL)}),
    flq.halved: ({"quantizer": flq.sign()}, {"quantizer": (*PARTS, GRID, SEVERAL)}),
    flq.segmented: (
        {"quantizer": flq.sign(), "sizes": (2, 3)},
        {
            "quantizer": (*PARTS, GRID, SEVERAL),
            "sizes": ((), (0, 1), 5, "ab", None, (1.5,), ("a",)),
        },
    ),
    flq.rotated: (
        {"quantizer": flq.sign()},
        {"quantizer": (*PARTS, GRID, SEVERAL, flq.identity())},
    ),
    flq.one_of: (
        {"options": (flq.sign(), flq.uniform(4))},
        {
            "options": (
                *(
                    (),
                    (flq.sign(),),
                    flq.sign(),
                    4,
                    None,
                    (1, 2, 4),
                    (flq.sign(), GRID),
                ),
                *((flq.sign, flq.uniform), (flq.sign(), SEVERAL)),
            )
        },
    ),
    flq.warm_up: (
        {"quantizer": flq.sign(), "rounds": 3},
        {"quantizer": (*PARTS, GRID, SEVERAL), "rounds": (*INTEGERS, 0)},
    ),
    flq.direct: ({"quantizer": flq.sign()}, {"quantizer": (*PARTS, GRID)}),
    flq.error_feedback: (
        {"quantizer": flq.sign()},
        {"quantizer": (*PARTS, GRID), "decay": (*NUMBERS, -0.1, 1.1)},
    ),
    flq.innovation: ({"quantizer": flq.sign()}, {"quantizer": PARTS, "rate": CHANCE}),
    flq.econtrol: (
        {"quantizer": flq.top_k(2, 9), "eta": 0.1},
        {"quantizer": (*PARTS, GRID), "eta": (*NUMBERS, -0.1, 1.1)},
    ),
    flq.marina: (
        {"quantizer": flq.stochastic(1), "probability": 0.1},
        {
            "quantizer": (*PARTS, GRID, SEVERAL),
            "probability": CHANCE,
            "seed": (*INTEGERS, -1),
        },
    ),
    flq.perm_k: (
        {"parts": 4, "values": flq.sign()},
        {
            "parts": (*INTEGERS, 1),
            "values": (*without(PARTS, None), GRID, SEVERAL),
        },
    ),
    flq.entropy_coded: (
        {"quantizer": flq.sign()},
        {"quantizer": (*PARTS, SEVERAL, flq.warm_up(flq.sign(), 3))},
    ),
    flq.noisy_sign: ({"sigma": 0.1}, {"sigma": POSITIVE, "noise": NAMES}),
    flq.masked_noise: ({"scale": 0.1}, {"scale": POSITIVE, "signed": FLAGS}),
    flq.projected: (
        {"count": 2, "d": 9},
        {"count": (*INTEGERS, 0), "d": (*INTEGERS, 0)},
    ),
    flq.low_rank: (
        {"rank": 1, "shapes": ((2, 3), (3,))},
        {
            "rank": (*INTEGERS, 0),
            "shapes": ((), 5, "ab", None, (2, 3), ((0, 2),), ((2.0,),), ("ab",)),
            "iterations": (*INTEGERS, 0),
        },
    ),
    flq.momentum: (
        {"compressor": flq.direct(flq.sign()), "beta": 0.9},
        {"compressor": (*PARTS, flq.sign(), flq.innovation(GRID)), "beta": SHARE},
    ),
    flq.lazy: (
        {"compressor": flq.innovation(flq.sign())},
        {
            "compressor": (*PARTS, flq.direct(flq.sign()), flq.innovation(GRID)),
            "history": (*INTEGERS, 0, 10_001),
            "weight": NOT_NEGATIVE,
            "max_silence": (*INTEGERS, 0),
            "error_weight": NOT_NEGATIVE,
        },
    ),
    flq.clag: (
        {"compressor": flq.innovation(flq.sign())},
        {
            "compressor": (*PARTS, flq.direct(flq.sign()), flq.innovation(GRID)),
            "zeta": NOT_NEGATIVE,
        },
    ),
    flq.compressed: (
        {"compressor": flq.direct(flq.sign())},
        {
            "compressor": (
                *(*PARTS, flq.sign(), flq.innovation(GRID)),
                flq.lazy(flq.innovation(flq.sign())),
                flq.innovation(flq.sign(), rate=0.5),
            ),
            # Of a link without an estimate there is nothing to adopt.
            "adopted": (*FLAGS, True),
            "relayed": FLAGS,
        },
    ),
    flq.uniform_downlink: (
        {"bits": 4, "sizes": (2, 3)},
        {"bits": BITS, "sizes": ((), (0,), 5, "ab", None)},
    ),
    flq.tanh_downlink: (
        {"bits": 4, "sizes": (2, 3)},
        {"bits": (*BITS, 1), "sizes": ((), (0,), 5, "ab", None)},
    ),
    flq.gradient: (
        {"loss": loss},
        {"loss": FUNCTIONS, "batch": (*INTEGERS, -1), "draw": FUNCTIONS},
    ),
    flq.local_epochs: (
        {"loss": loss, "optimizer": optax.sgd(0.1), "batch": 20, "epochs": 1},
        {
            "loss": FUNCTIONS,
            "optimizer": (0.1, "a", None, optax.sgd),
            "batch": (*INTEGERS, 0),
            "epochs": (*INTEGERS, 0),
        },
    ),
    flq.local_steps: (
        STEPS | {"steps": 2},
        WRONG_STEPS | {"steps": (*INTEGERS, 0)},
    ),
    flq.binarized_epochs: (
        STEPS | {"epochs": 1},
        WRONG_STEPS | {"epochs": (*INTEGERS, 0), "rho": NOT_NEGATIVE, "plain": SHARE},
    ),
    flq.bit_training: (
        STEPS | {"epochs": 1, "bits": 4, "shapes": [(2, 3)]},
        WRONG_STEPS
        | {
            "epochs": (*INTEGERS, 0),
            "bits": (*BITS, 1),
            "shapes": (None, 5, "ab", [2, 3]),
            "seed": (*INTEGERS, -1),
        },
    ),
    flq.mask_training: (
        STEPS | {"epochs": 1, "weights": jnp.ones(3)},
        WRONG_STEPS | {"epochs": (*INTEGERS, 0)},
    ),
    flq.mask_server: (
        {},
        {"reset": (*INTEGERS, 0), "epsilon": (*NUMBERS, 0.0, 0.5, -1.0)},
    ),
    flq.fedprox: (
        STEPS | {"mu": 0.1, "epochs": 1},
        WRONG_STEPS | EITHER | {"mu": NOT_NEGATIVE},
    ),
    flq.scaffold: (STEPS | {"epochs": 1}, WRONG_STEPS | EITHER),
    flq.scallion: (
        STEPS | {"alpha": 0.1, "epochs": 1},
        WRONG_STEPS | EITHER | {"alpha": (*NUMBERS, 0.0, 1.5, -1.0)},
    ),
    flq.scafcom: (
        STEPS | {"beta": 0.1, "epochs": 1},
        WRONG_STEPS | EITHER | {"beta": (*NUMBERS, 0.0, 1.5, -1.0)},
    ),
    flq.feddyn: (
        STEPS | {"alpha": 0.1, "epochs": 1},
        WRONG_STEPS | EITHER | {"alpha": POSITIVE},
    ),
    flq.fednova: (
        STEPS | {"epochs": 1},
        WRONG_STEPS | {"epochs": (*INTEGERS, 0), "momentum": SHARE},
    ),
    flq.fedluar: (
        {
            "work": flq.local_steps(**STEPS, steps=1),
            "count": 1,
            "shapes": [(2, 3), (3,), (3, 2)],
        },
        {
            "work": (0.1, "a", None, flq.scaffold(**STEPS, epochs=1)),
            "count": (*INTEGERS, 0, 2),
            "shapes": (None, 5, "ab", [(2, 3), (3,)], [2, 3]),
            "seed": (*INTEGERS, -1),
        },
    ),
    flq.stateless: (
        {"update": loss},
        {
            "update": FUNCTIONS,
            **dict.fromkeys(("batch", "steps", "epochs"), (*INTEGERS, -1)),
        },
    ),
    flq.mean_of: ({"loss": loss}, {"loss": FUNCTIONS}),
    flq.onebit_adam: (
        {"step": 0.1, "warm_up": 3},
        {
            "step": POSITIVE,
            "warm_up": (*INTEGERS, 0),
            "b1": SHARE,
            "b2": SHARE,
            "eps": POSITIVE,
        },
    ),
    flq.everyone: ({"clients": 4}, {"clients": (*INTEGERS, 0)}),
    flq.sampled: (
        {"count": 2, "clients": 4},
        {"count": (*INTEGERS, 0, 5), "clients": (*INTEGERS, 0)},
    ),
    flq.dadaquant: (
        {"network": flq.sampled(2, 4), "options": 3, "patience": 5},
        {
            "network": (*PARTS, flq.sampled),
            "options": (*INTEGERS, 1),
            "patience": (*INTEGERS, 1, 10_001),
            "smoothing": SHARE,
            "examples": ("a", [1, 2, 3], [0, 1, 1, 1], [1.0] * 4),
        },
    ),
    flq.adaquantfl: (
        {"network": flq.sampled(2, 4), "options": 3},
        {"network": (*PARTS, flq.sampled), "options": (*INTEGERS, 1)},
    ),
    flq.classification: (
        {"model": models.Logistic()},
        {"model": (0.01, "a", None, models.Logistic), "l2": NOT_NEGATIVE},
    ),
    **{
        task: (
            {"model": models.Logistic()},
            {"model": (0.01, "a", None, models.Logistic), "l2": NOT_NEGATIVE},
        )
        for task in (flq.multi_label, flq.next_token, flq.regression)
    },
    flq.augmented: (
        {"loss": loss, "transform": loss},
        {"loss": FUNCTIONS, "transform": FUNCTIONS},
    ),
    flq.crop_and_flip: ({}, {"padding": (*INTEGERS, -1, 1001), "flip": FLAGS}),
    flq.Metric: (
        {"function": loss},
        {"function": FUNCTIONS, "better": NAMES, "of_mean": (500, "a")},
    ),
    Bits: (
        {},
        dict.fromkeys(("weights", "activations", "gradients"), (*BITS, 16, 33)),
    ),
    models.Logistic: ({}, {"num_classes": (*INTEGERS, 0), "bits": (8, "a", None)}),
    models.MLP: (
        {},
        {
            "hidden": (200, "ab", None, (0,), (2.0,), (True,), ("a",)),
            "num_classes": (*INTEGERS, 0),
            "bits": (8, "a", None, (Bits(), 8), (Bits(),)),
            "hidden_range": POSITIVE,
        },
    ),
    models.CNN: (
        {},
        {
            "channels": (8, "ab", None, (), (0,), (2.0,)),
            "window": (*INTEGERS, 0),
            "hidden": (200, None, (0,), (2.0,)),
            "num_classes": (*INTEGERS, 0),
            "bits": (8, "a", None, (Bits(),)),
            "edge_bits": (8, None),
            "hidden_range": POSITIVE,
        },
    ),
    models.SVHNNet: (
        {},
        {
            "num_classes": (*INTEGERS, 0),
            "bits": (8, None),
            "edge_bits": (8, None),
            "hidden_range": POSITIVE,
        },
    ),
    models.ResNet: (
        {"blocks": (1, 1), "widths": (4, 8)},
        {
            "blocks": (1, "ab", None, (), (1,), (0, 1), (1.0, 1)),
            "widths": (4, "ab", None, (), (4,), (0, 8), (4, 9), (4.0, 8)),
            "groups": (*INTEGERS, 0, 3),
            "num_classes": (*INTEGERS, 0),
            "bits": (8, None),
            "edge_bits": (8, None),
            "hidden_range": POSITIVE,
        },
    ),
    models.VGG: (
        {"stages": ((4,), (8, 8))},
        {
            "stages": (4, "ab", None, (), (4, 8), ((),), ((0,),), ("ab",)),
            "hidden": (200, None, (0,), (2.0,)),
            "groups": (*INTEGERS, -1, 3),
            "num_classes": (*INTEGERS, 0),
            "bits": (8, None),
            "edge_bits": (8, None),
            "hidden_range": POSITIVE,
        },
    ),
    models.CharLSTM: (
        {"vocabulary": 90},
        {
            **dict.fromkeys(
                ("vocabulary", "embedding", "hidden", "layers"), (*INTEGERS, 0)
            ),
            "bits": (8, None),
            "edge_bits": (8, None),
        },
    ),
    models.Transformer: (
        {"vocabulary": 90},
        {
            **dict.fromkeys(
                ("vocabulary", "length", "width", "heads", "layers"), (*INTEGERS, 0)
            ),
            "bits": (8, None),
            "edge_bits": (8, None),
            "norm_range": POSITIVE,
            "hidden_range": POSITIVE,
        },
    ),
    layers.QuantDense: (
        {"features": 2},
        {"features": (*INTEGERS, 0), "bits": (8, None), "input_range": POSITIVE},
    ),
    data.synthetic: (
        {},
        {
            "seed": (*INTEGERS[:-1], -1),
            "train": (*INTEGERS, 9),
            "test": (*INTEGERS, 0),
            "num_classes": (*INTEGERS, 1, 257),
            "separation": (*NUMBERS, -1.0, INF),
            "side": (*INTEGERS, 0),
        },
    ),
    **{
        split: ({"labels": LABELS, "clients": 3}, {"clients": (*INTEGERS, 0, 13)})
        for split in (partition.contiguous, partition.iid)
    },
    partition.shards: (
        {"labels": LABELS, "clients": 3},
        {"clients": (*INTEGERS, 0, 13), "shards_per_client": (*INTEGERS, 0, 5)},
    ),
    partition.k_labels: (
        {"labels": LABELS, "clients": 3, "k": 2},
        {"clients": (*INTEGERS, 0, 13), "k": (*INTEGERS, 0, 5)},
    ),
    **{
        split: (
            {"labels": LABELS, "clients": 3, "alpha": 0.5},
            {
                "clients": (*INTEGERS, 0, 13),
                "alpha": (*NUMBERS, 0.0, -1.0, 2e9, INF),
                "min_size": (*INTEGERS, -1, 5),
            },
        )
        for split in (partition.dirichlet, partition.quantity_skew)
    },
    partition.natural: (
        {"users": LABELS, "clients": 3},
        {"users": (None,), "clients": (*INTEGERS, 0, 4)},
    ),
    **{
        each: ({"num": 3}, {"num": (*INTEGERS, 0)})
        for each in (
            *(scheduling.random, scheduling.round_robin, scheduling.best_channel),
            *(
                scheduling.proportional_fair,
                scheduling.oldest,
                scheduling.longest_lived,
            ),
        )
    },
    scheduling.bits_budget: ({"budget_bits": 9}, {"budget_bits": (*INTEGERS, 0)}),
}


@pytest.mark.parametrize("made", REFUSED, ids=lambda made: made.__name__)
def test_what_cannot_be_is_one_line_that_names_who_refuses(made):
    arguments, refused = REFUSED[made]
    made(**arguments)
    wrong = []
    for name, values in refused.items():
        for value in values:
            case = f"{made.__name__}({name}={value!r:.60})"
            try:
                made(**arguments | {name: value})
            except (ValueError, TypeError) as error:
                said = str(error)
                if "\n" in said or not re.match(rf"{made.__name__}: ", said):
                    wrong.append(f"{case}: {said!r:.150}")
            except Exception as error:  # noqa: BLE001 another kind is what we look for
                wrong.append(f"{case}: {type(error).__name__}")
            else:
                wrong.append(f"{case} is taken")
    assert not wrong, "\n".join(wrong)


# Among what `import flq_jax as flq` offers: no constructors of parts, or without arguments.
OTHERS = {
    *(
        "Claims",
        "check_compressor",
        "check_quantizer",
        "every_convention",
        "Simulation",
    ),
    *("drawn", "one_of_fixed", "whole", "exact", "identity", "natural", "two_means"),
    "zero_one",
    *("cell", "triggered", "zooming"),  # cell: tests/networks
    *("compressed_mean", "state_specs"),  # tests/collectives
}


def test_every_public_constructor_is_among_them():
    offered = {name for name in flq.__all__ if inspect.isfunction(getattr(flq, name))}
    assert offered - {made.__name__ for made in REFUSED} <= OTHERS


def test_a_traced_number_is_nobodys_constant():
    """In one line, where it may not be traced; `lazy` and `onebit_adam` take it."""
    with pytest.raises(ValueError, match="^momentum: beta must be") as told:
        jnp.vectorize(lambda beta: flq.momentum(flq.direct(flq.sign()), beta).beta)(
            jnp.arange(2.0)
        )
    assert "\n" not in str(told.value)
