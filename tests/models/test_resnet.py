import jax
import numpy as np
import pytest

from flq_jax.models import Bits, ResNet, layer_costs, resnet8, resnet18, resnet20

COLOUR = (32, 32, 3)


def total(model):
    costs = layer_costs(model, COLOUR)
    return sum(count for cost in costs for count in cost.params.values())


def test_parameters_of_resnet_8_and_20_by_hand():
    """Convolutions without bias, two numbers a channel for each normalization."""
    stem = 27 * 16 + 32
    same = [2 * (9 * w * w) + 2 * 2 * w for w in (16, 32, 64)]
    down = [9 * w * w // 2 + 9 * w * w + w * w // 2 + 3 * 2 * w for w in (32, 64)]
    output = 64 * 10 + 10
    assert total(resnet8()) == stem + same[0] + sum(down) + output == 78_042
    assert total(resnet20()) == total(resnet8()) + 2 * sum(same) == 272_474


def test_parameters_of_resnet_18_by_hand():
    stem = 27 * 64 + 128
    same = [2 * 9 * w * w + 4 * w for w in (64, 128, 256, 512)]
    down = [9 * w * w // 2 + 9 * w * w + w * w // 2 + 6 * w for w in (128, 256, 512)]
    first = same[0] + sum(same) + sum(down)
    assert total(resnet18()) == stem + first + 512 * 10 + 10 == 11_173_962


def test_multiplications_of_resnet_8_by_hand():
    """Of 32 x 32 positions, then 16 x 16, then 8 x 8."""
    costs = {cost.name: cost for cost in layer_costs(resnet8(), COLOUR)}
    assert costs["stem"].macs == 32 * 32 * 27 * 16
    assert costs["stage_1_block_0_first"].macs == 16 * 16 * 9 * 16 * 32
    assert costs["stage_2_block_0_shortcut"].macs == 8 * 8 * 32 * 64
    assert costs["output"].macs == 640


def test_layers_between_the_first_and_the_last_are_narrow():
    narrow = resnet8(bits=Bits(1, 2, 6), edge_bits=Bits(8, 8))
    costs = [cost for cost in layer_costs(narrow, COLOUR) if cost.out]
    assert costs[0].params == {8: 432} and costs[-1].params == {8: 640, 32: 10}
    assert {next(iter(cost.params)) for cost in costs[1:-1]} == {1}
    assert {cost.bits for cost in costs[1:-1]} == {Bits(1, 2, 6)}


@pytest.mark.parametrize("packed", [False, True])
def test_a_block_of_zeros_is_its_shortcut(packed):
    """What the convolutions of a block leave at 0 passes it by: relu(0 + x)."""
    model = ResNet((1,), (4,), groups=1, num_classes=4, packed=packed)
    x = np.random.default_rng(0).random((2, 6, 6, 1), np.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), x)["params"]
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), shapes)
    params["stem_norm"]["bias"] = np.float32([1.0, 2.0, 3.0, -4.0])
    params["output"]["kernel"] = np.eye(4, dtype=np.float32)
    logits = jax.jit(model.apply)({"params": params}, x)
    np.testing.assert_allclose(logits, [[1.0, 2.0, 3.0, 0.0]] * 2)


@pytest.mark.more
def test_packed_path_gives_the_float_path(drawn):
    x = np.random.default_rng(1).random((2, 8, 8, 3), np.float32)
    model = ResNet((1, 1), (4, 8), bits=Bits(1, 2), edge_bits=Bits(4, 8))
    variables = drawn(model, x)
    floats = np.asarray(jax.jit(model.apply)(variables, x))
    packed = jax.jit(model.clone(packed=True).apply)(variables, x)
    np.testing.assert_allclose(packed, floats, atol=1e-5 * abs(floats).max())
    assert np.ptp(floats, axis=0).max() > 1e-3  # logits see the image


def test_what_does_not_fit_is_refused():
    with pytest.raises(
        ValueError, match=r"ResNet: blocks .*blocks=\(1,\) widths=\(4, 8"
    ):
        ResNet((1,), (4, 8))
    with pytest.raises(ValueError, match=r"ResNet: groups .*\(4, 9\), got groups=2"):
        ResNet((1, 1), (4, 9))
