"""Apps that Flower's processes run for `benchmarks.flower_bytes`."""
