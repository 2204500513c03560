"""A laboratory for low-bit federated learning."""

__version__ = "0.1.0"  # setup.cfg reads it from here
