"""The same method by the library alone: no config, no flags, any arrays."""

import jax
import numpy as np
from own_method import Controlled, Net, focal, scaffold, server, ternary

import flq_jax as flq


def simulation(file: str = "users.npz") -> flq.Simulation:
    arrays = np.load(file)
    model = Controlled(Net())
    params = model.init(jax.random.key(0), np.zeros((1, 28, 28), np.float32))["params"]
    sizes = [leaf.size for leaf in jax.tree.leaves(params)]
    task = focal(model)
    return flq.Simulation(
        params,
        task.loss,
        (arrays["train_inputs"], arrays["train_labels"]),
        owners=arrays["train_users"],
        client=scaffold(task.loss, steps=5, rate=0.1, batch=20),
        uplink=flq.error_feedback(flq.segmented(ternary(), sizes)),
        downlink=flq.segmented(flq.uniform(8), sizes),
        server=server(0.01),
        test=(arrays["test_inputs"], arrays["test_labels"]),
        evaluate=task.metrics,
    )


if __name__ == "__main__":
    for row in simulation().run(rounds=100, every=10, checkpoints="runs/script"):
        print(row["round"], row["test_accuracy"], row["uplink_bits"])
