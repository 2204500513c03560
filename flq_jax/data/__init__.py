"""Data: sets by name, and how clients share them."""

from flq_jax.data.catalogue import CATALOGUE, load
from flq_jax.data.cifar import cifar10, cifar100
from flq_jax.data.clients import ClientData, client_data, scaled
from flq_jax.data.dataset import Dataset, make_dataset
from flq_jax.data.errors import DataError
from flq_jax.data.fashion import fashion_mnist
from flq_jax.data.files import idx, npz
from flq_jax.data.images import image_folder
from flq_jax.data.leaf_json import leaf
from flq_jax.data.mnist_files import mnist
from flq_jax.data.plays import shakespeare
from flq_jax.data.synthetic import synthetic
from flq_jax.data.tff_hdf5 import femnist, tff

__all__ = [
    "CATALOGUE",
    "ClientData",
    "DataError",
    "Dataset",
    "cifar10",
    "cifar100",
    "client_data",
    "idx",
    "fashion_mnist",
    "femnist",
    "image_folder",
    "leaf",
    "load",
    "make_dataset",
    "mnist",
    "npz",
    "scaled",
    "shakespeare",
    "synthetic",
    "tff",
]
