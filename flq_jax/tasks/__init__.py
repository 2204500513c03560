"""Tasks: what clients minimise, and what a model is judged by."""

from flq_jax.simulation.metric import Metric
from flq_jax.tasks.classification import classification
from flq_jax.tasks.multi_label import multi_label
from flq_jax.tasks.next_token import next_token
from flq_jax.tasks.regression import regression
from flq_jax.tasks.task import Task

__all__ = [
    "Metric",
    "Task",
    "classification",
    "multi_label",
    "next_token",
    "regression",
]
