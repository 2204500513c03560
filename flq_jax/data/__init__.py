"""Data: sets by name, and how clients share them."""

from flq_jax.data.catalogue import CATALOGUE, load
from flq_jax.data.clients import ClientData, client_data, scaled
from flq_jax.data.dataset import Dataset, make_dataset
from flq_jax.data.errors import DataError
from flq_jax.data.files import idx, npz
from flq_jax.data.mnist_files import mnist
from flq_jax.data.synthetic import synthetic

__all__ = [
    "CATALOGUE",
    "ClientData",
    "DataError",
    "Dataset",
    "client_data",
    "idx",
    "load",
    "make_dataset",
    "mnist",
    "npz",
    "scaled",
    "synthetic",
]
