"""Bits to an accuracy, both ways: sweeps whose tables stand in docs/records.md."""
