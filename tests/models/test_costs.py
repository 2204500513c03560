import pytest

from flq_jax.models import CNN, MLP, Bits, SVHNNet, layer_costs, mcmahan_cnn


def total(costs):
    return sum(count for cost in costs for count in cost.params.values())


def test_small_cnn_by_hand():
    """5 x 4 images: pooled to 2 x 2, then to 1 x 1."""
    model = CNN((2, 3), num_classes=7, bits=Bits(1, 2, 6), edge_bits=Bits(32, 8))
    first, second, output = layer_costs(model, (5, 4))
    assert first == ("conv_0", Bits(32, 8), (5, 4, 2), {32: 9 * 2 + 2}, 20 * 18)
    assert second.params == {1: 9 * 2 * 3, 32: 3} and second.out == (2, 2, 3)
    assert second.macs == 4 * 54 and second.bit_operations == 4 * 54 * 1 * 2
    assert second.num_bits == 54 + 32 * 3
    assert output == ("output", Bits(32, 8), (7,), {32: 3 * 7 + 7}, 21)


def test_dense_layers_multiply_once_a_weight():
    hidden, output = layer_costs(MLP((4,), 3, bits=Bits(8, 8)), (2, 5))
    assert hidden.macs == 40 and hidden.params == {8: 40, 32: 4}
    assert output.macs == 12 and output.bit_operations == 12 * 64


MODELS = {
    "cnn": (CNN(), (28, 28), 6898),
    "mcmahan": (mcmahan_cnn(), (28, 28), 1663370),
    "svhn": (SVHNNet(), (40, 40, 3), 2082378),
}


@pytest.mark.parametrize("model, image, params", MODELS.values(), ids=MODELS)
def test_documented_numbers_of_parameters(model, image, params):
    assert total(layer_costs(model, image)) == params


def test_normalizations_have_parameters_alone():
    costs = {cost.name: cost for cost in layer_costs(SVHNNet(), (40, 40, 3))}
    assert costs["norm_1"] == ("norm_1", Bits(), (), {32: 128}, 0)
    assert costs["conv_6"].out == (1, 1, 512)


def test_images_too_small_for_the_svhn_network_are_refused():
    with pytest.raises(
        ValueError, match=r"SVHNNet: images .*40 or more.*\(1, 28, 28, 3"
    ):
        layer_costs(SVHNNet(), (28, 28, 3))
