import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.models import Bits, CharLSTM, QuantLSTM, layer_costs


def small(**changes):
    return CharLSTM(5, embedding=3, hidden=4, layers=2, **changes)


@pytest.fixture
def tokens():
    return np.random.default_rng(0).integers(0, 5, (2, 6)).astype(np.int32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_a_layer_is_the_recurrence(drawn):
    """In NumPy, step by step."""
    layer = QuantLSTM(2)
    gates = np.random.default_rng(0).standard_normal((3, 4, 8)).astype(np.float32)
    variables = drawn(layer, gates)
    kernel = variables["params"]["kernel"]
    found = jax.jit(layer.apply)(variables, gates)
    h = c = np.zeros((3, 2))
    for t in range(4):
        i, f, g, o = np.split(gates[:, t] + h @ kernel.T, 4, axis=1)
        c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        np.testing.assert_allclose(found[:, t], h, rtol=1e-5, atol=1e-6)


def test_parameters_of_the_shakespeare_network_by_hand():
    costs = layer_costs(CharLSTM(90), (80,), jnp.int32)
    total = sum(count for cost in costs for count in cost.params.values())
    first = 4 * 256 * (8 + 256 + 1)
    second = 4 * 256 * (256 + 256 + 1)
    assert total == 90 * 8 + first + second + 90 * 257 == 820_522


def test_multiplications_are_of_all_positions():
    """6 positions: 16 gates of 3 or 4 inputs and 4 of the state, 5 logits of 4."""
    costs = {cost.name: cost for cost in layer_costs(small(), (6,), jnp.int32)}
    macs = {name: cost.macs for name, cost in costs.items()}
    assert macs == {
        "input_0": 6 * 16 * 3,
        "recurrent_0": 6 * 16 * 4,
        "input_1": 6 * 16 * 4,
        "recurrent_1": 6 * 16 * 4,
        "output": 6 * 5 * 4,
        "embedding": 0,
    }
    narrow = layer_costs(small(bits=Bits(1, 2)), (6,), jnp.int32)
    widths = {cost.name: cost.bits.weights for cost in narrow}
    assert [widths[f"recurrent_{i}"] for i in (0, 1)] == [1, 1]
    assert widths["input_0"] == widths["output"] == 32


def test_logits_know_what_was_before_and_nothing_else(drawn, tokens):
    model = small()
    variables, apply = drawn(model, tokens), jax.jit(model.apply)
    logits = np.asarray(apply(variables, tokens))
    assert logits.shape == (2, 6, 5)
    changed = tokens.copy()
    changed[:, 3] = (changed[:, 3] + 1) % 5
    others = np.asarray(apply(variables, changed))
    np.testing.assert_array_equal(others[:, :3], logits[:, :3])
    assert (others[:, 3:] != logits[:, 3:]).any(axis=2).all()


def test_packed_path_gives_the_float_path(drawn, tokens):
    model = small().clone(layers=1, bits=Bits(1, 2), edge_bits=Bits(4, 8))
    variables = drawn(model, tokens)
    floats = jax.jit(model.apply)(variables, tokens)
    packed = jax.jit(model.clone(packed=True).apply)(variables, tokens)
    np.testing.assert_allclose(packed, floats, rtol=1e-4, atol=1e-4)


def test_rounded_gradients_reach_every_layer(drawn, tokens):
    bits = {"bits": Bits(2, 4, 6), "edge_bits": Bits(8, 8, 8)}
    model = CharLSTM(5, embedding=3, hidden=4, layers=1, **bits)
    variables = drawn(model, tokens)

    @jax.jit
    def gradient(params, seed):
        rngs = {"gradient": jax.random.key(seed)}
        return jax.grad(lambda p: model.apply({"params": p}, tokens, rngs=rngs).sum())(
            params
        )

    found = gradient(variables["params"], 0)
    assert all(
        np.isfinite(leaf).all() and leaf.any() for leaf in jax.tree.leaves(found)
    )
    other = gradient(variables["params"], 1)["recurrent_0"]["kernel"]
    assert (other != found["recurrent_0"]["kernel"]).any()


@pytest.mark.parametrize(
    "tokens, came",
    [(np.zeros((2, 6), np.float32), "float32"), (np.zeros(6, np.int32), r"int32\[6\]")],
)
def test_other_tokens_are_refused(tokens, came):
    with pytest.raises(
        ValueError, match=rf"CharLSTM: inputs must be integers .*{came}"
    ):
        jax.eval_shape(small().init, jax.random.key(0), tokens)


def test_gates_of_another_number_are_refused():
    with pytest.raises(
        ValueError, match=r"QuantLSTM: .*\[b, t, 8\], got float32\[2, 3, 6"
    ):
        jax.eval_shape(QuantLSTM(2).init, jax.random.key(0), np.zeros((2, 3, 6), "f"))
