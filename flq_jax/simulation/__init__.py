"""A federated run on arrays: no config, no flags, no folder but the checkpoints'."""
