"""To tell classes apart."""

import flax.linen as nn

from flq_jax.models import Bits, Logistic, classification_loss, predict
from flq_jax.simulation.metric import Metric
from flq_jax.tasks.task import Task


def classification(model: nn.Module, l2: float = 0.0, num_classes: int = 0) -> Task:
    """Cross-entropy with a penalty, judged by how many labels are told right.

    The loss is `classification_loss`; the metric "test_accuracy" is whether the largest
    logit is the label's, bool[b]. It is convex where the logits are affine in the
    parameters: for `Logistic` at full precision.

    Args:
        model: maps inputs to logits f32[b, c]; TypeError unless it is a flax module.
        l2: lambda of the penalty l2 / 2 ||theta||^2, 0 or more; ValueError otherwise.
        num_classes: K of the labels; the loss asks K logits or more, ValueError. 0 does not
            ask.

    Returns:
        A `Task` of labels i32[b] in 0..c-1.
    """

    def right(params, inputs, labels):
        return predict(model, params, inputs) == labels

    loss = classification_loss(model, l2, num_classes)
    convex = isinstance(model, Logistic) and model.bits == Bits()
    return Task(loss, {"test_accuracy": Metric(right)}, convex)
