import jax
import numpy as np
import pytest

from flq_jax.models import CNN, VGG, Bits, layer_costs, vgg9


def total(model, image):
    costs = layer_costs(model, image)
    return sum(count for cost in costs for count in cost.params.values())


def test_parameters_of_vgg_9_by_hand():
    """Of 32 x 32 pixels three pools leave 4 x 4."""
    channels = [3, 32, 64, 128, 128, 256, 256]
    convolutions = sum(9 * a * b + b for a, b in zip(channels, channels[1:]))
    dense = 4 * 4 * 256 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10
    assert total(vgg9(), (32, 32, 3)) == convolutions + dense == 3_491_530


def test_normalized_convolutions_have_no_bias():
    """16 channels: two numbers each in place of one."""
    plain, normalized = VGG(((16,),)), VGG(((16,),), groups=4)
    assert total(normalized, (8, 8)) - total(plain, (8, 8)) == 16


def test_one_convolution_a_stage_is_the_cnn(drawn):
    """But for the order of pool and ReLU, which changes nothing."""
    x = np.random.default_rng(0).random((2, 8, 8), np.float32)
    ours, plain = VGG(((3,), (4,)), bits=Bits(2, 2)), CNN((3, 4), bits=Bits(2, 2))
    params = drawn(ours, x)["params"]
    same = {f"conv_{i}": params[f"conv_{i}_0"] for i in (0, 1)}
    same["output"] = params["output"]
    np.testing.assert_allclose(
        jax.jit(ours.apply)({"params": params}, x),
        jax.jit(plain.apply)({"params": same}, x),
        rtol=1e-5,
    )


def test_only_the_edges_are_wide():
    model = vgg9(bits=Bits(1, 2), edge_bits=Bits(8, 8))
    widths = [cost.bits.weights for cost in layer_costs(model, (32, 32, 3))]
    assert widths == [8] + [1] * 7 + [8]


def test_groups_that_divide_not_all_channels_are_refused():
    with pytest.raises(ValueError, match="VGG: groups must divide .* groups=3"):
        VGG(((6,), (8,)), groups=3)
