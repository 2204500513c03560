"""Tasks: what clients minimise, and what a model is judged by."""

from flq_jax.tasks.classification import classification
from flq_jax.tasks.task import Task

__all__ = ["Task", "classification"]
