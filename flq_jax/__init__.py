"""A laboratory for low-bit federated learning."""
