import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.models import Bits, Transformer, layer_costs


def small(**changes):
    return Transformer(5, length=6, width=8, heads=2, layers=1, **changes)


@pytest.fixture
def tokens():
    return np.random.default_rng(0).integers(0, 5, (2, 6)).astype(np.int32)


def test_parameters_by_hand():
    """(v + t) d + n (12 d^2 + 13 d) + 2 d + (d + 1) v."""
    costs = layer_costs(Transformer(90), (80,), jnp.int32)
    total = sum(count for cost in costs for count in cost.params.values())
    blocks = 2 * (12 * 64 * 64 + 13 * 64)
    assert total == (90 + 80) * 64 + blocks + 2 * 64 + 65 * 90 == 116_826


def test_multiplications_by_hand():
    """4 positions of width 8; attention has 2 products of 4 x 4 x 8 and no weights."""
    costs = {cost.name: cost for cost in layer_costs(small(), (4,), jnp.int32)}
    assert costs["qkv_0"].macs == 4 * 8 * 24 and costs["up_0"].macs == 4 * 8 * 32
    assert costs["attention_0"].macs == 2 * 4 * 4 * 8
    assert costs["attention_0"].params == {} and costs["position"].macs == 0
    assert costs["norm"].params == {32: 16}


def test_logits_know_what_was_before_and_nothing_else(drawn, tokens):
    model = small()
    variables, apply = drawn(model, tokens), jax.jit(model.apply)
    logits = np.asarray(apply(variables, tokens))
    assert logits.shape == (2, 6, 5)
    changed = tokens.copy()
    changed[:, 3] = (changed[:, 3] + 1) % 5
    others = np.asarray(apply(variables, changed))
    np.testing.assert_allclose(others[:, :3], logits[:, :3], rtol=1e-6)
    assert (np.abs(others[:, 3:] - logits[:, 3:]).max(axis=2) > 1e-3).all()


def test_where_a_token_stands_counts(drawn):
    """The same token everywhere: without positions all logits would be alike."""
    model, same = small(), np.zeros((1, 6), np.int32)
    logits = np.asarray(jax.jit(model.apply)(drawn(model, same), same))
    assert np.ptp(logits, axis=1).max() > 1e-3


@pytest.mark.more
def test_packed_path_gives_the_float_path(drawn, tokens):
    model = small(bits=Bits(1, 2), edge_bits=Bits(4, 8))
    variables = drawn(model, tokens)
    floats = jax.jit(model.apply)(variables, tokens)
    packed = jax.jit(model.clone(packed=True).apply)(variables, tokens)
    np.testing.assert_allclose(packed, floats, rtol=1e-4, atol=1e-4)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"heads must divide width=8, got heads=3"):
        small().clone(heads=3)
    with pytest.raises(ValueError, match=r"sequences must be of length=6 .*, got 7"):
        layer_costs(small(), (7,), jnp.int32)
