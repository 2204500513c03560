import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.models import Logistic, initial_params, layer_costs, require_stateless


class Normalized(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.BatchNorm(use_running_average=False)(nn.Dense(3)(x))


class Counting(nn.Module):
    @nn.compact
    def __call__(self, x):
        self.variable("cache", "count", lambda: jnp.zeros(()))
        return nn.Dense(3)(x)


GROUP = r"Normalized: .*running statistics.*nn\.GroupNorm.*got batch_stats"


def test_running_statistics_are_refused_and_group_norm_is_named(key):
    x = np.zeros((1, 2), np.float32)
    with pytest.raises(ValueError, match=GROUP) as error:
        require_stateless(Normalized(), jax.eval_shape(Normalized().init, key, x))
    assert "\n" not in str(error.value)


def test_whoever_asks_what_a_model_costs_or_draws_its_parameters_hears_of_it(key):
    with pytest.raises(ValueError, match=GROUP):
        layer_costs(Normalized(), (2,))
    with pytest.raises(ValueError, match="Counting: must have parameters alone.*cache"):
        initial_params(Counting(), key, np.zeros((1, 2), np.float32))


def test_a_models_parameters_are_all_there_is(key):
    params = jax.jit(initial_params, static_argnums=0)(
        Logistic(3), key, np.zeros((1, 2), np.float32)
    )
    assert set(params) == {"output"} and params["output"]["kernel"].shape == (3, 2)
