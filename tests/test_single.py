"""Numbers that Python holds and a device does not."""

import math
import re

import jax
import numpy as np
import pytest

from flq_jax import compressors, federated, models, quantizers
from flq_jax.models import layers
from flq_jax.quantizers import identity
from flq_jax.single import single
from flq_jax.wireless import channel, planning


@pytest.mark.parametrize("number", [0.0, 1.0, -2.5, 1e38, 2.0**-126, 2**31, math.inf])
def test_what_f32_holds_is_itself(number):
    assert single(number) == np.float32(number)


def test_others_are_rounded_to_the_nearest():
    assert single(0.1) == np.float32(0.1) and single(1 - 1e-9) == 1.0


@pytest.mark.parametrize(
    "number", [1e39, -1e39, 1e-46, 1e-39, -1e-46, 10**400, math.nan]
)
def test_what_would_be_infinite_or_zero_is_none(number):
    assert math.isnan(single(number))


@pytest.mark.parametrize(
    "value", ["1", b"1", True, None, (1.0,), [1.0], 1j, np.ones(2)]
)
def test_what_is_no_number_is_none_either(value):
    assert math.isnan(single(value))


def test_a_traced_number_is_none():
    jax.jit(lambda x: np.testing.assert_equal(single(x), math.nan))(1.0)


def innovation():
    return compressors.innovation(identity())


# Positive, or below 1, as Python holds them; 0, infinite or 1 as a device does.
CONSTRUCTORS = {
    "clag": lambda x: compressors.clag(innovation(), x),
    "lazy": lambda x: compressors.lazy(innovation(), weight=x),
    "lazy error": lambda x: compressors.lazy(innovation(), error_weight=x),
    "terngrad": quantizers.terngrad,
    "sign": quantizers.sign,
    "uveqfed": lambda x: quantizers.uveqfed("d3", 2, x),
    "thc": lambda x: quantizers.thc(4, 30, x),
    "geometric": lambda x: quantizers.geometric(x, 0.5),
    "onebit_adam step": lambda x: federated.onebit_adam(x, 3),
    "onebit_adam eps": lambda x: federated.onebit_adam(0.1, 3, eps=x),
    "l2": lambda x: models.classification_loss(models.Logistic(2), x),
    "input range": lambda x: layers.QuantDense(2, input_range=x),
}
SHARES = {
    "momentum": lambda x: compressors.momentum(innovation(), x),
    "onebit_adam b1": lambda x: federated.onebit_adam(0.1, 3, b1=x),
    "policy thrift": lambda x: planning.policy(lambda key, who: who, thrift=x),
}


@pytest.mark.parametrize("made", CONSTRUCTORS.values(), ids=CONSTRUCTORS.keys())
def test_a_constructor_refuses_what_would_be_infinite_or_zero(made):
    made(1.0)
    for number in (1e39, 1e-46):
        with pytest.raises(ValueError, match=re.escape(str(number))):
            made(number)


@pytest.mark.parametrize("made", SHARES.values(), ids=SHARES.keys())
def test_a_share_below_1_that_f32_rounds_to_1_is_refused(made):
    made(0.5)
    with pytest.raises(ValueError, match="0.999999999"):
        made(0.999999999)


def test_draws_refuse_them_too(key):
    with pytest.raises(ValueError, match="1e\\+39"):
        channel.rician_gain(key, (2,), 1e39)
