"""Writes a run's model at its true width, and checks what it wrote.

python -m experiments.export --workdir=runs/mnist_flq_cnn --out=model.npz
    [--stablehlo=model.stablehlo]
"""

import json
import pathlib
from typing import Any

import jax
from absl import app, flags
from ml_collections import ConfigDict

from experiments import console, packed_model
from experiments.build import Run, build, classifier
from experiments.checkpoints import Checkpoints
from flq_jax import data, keys, models
from flq_jax.data.clients import scaled
from flq_jax.federated import State, heard

_WORKDIR = flags.DEFINE_string("workdir", None, "The run's folder.", required=True)
_OUT = flags.DEFINE_string("out", "model.npz", "The model's file.")
_STABLEHLO = flags.DEFINE_string(
    "stablehlo", None, "Also the program, images to logits, for CPU, CUDA and TPU."
)


def heard_params(run: Run, state: State) -> Any:
    """The parameters as the clients hear them."""
    key, down = keys.init_key(run.root), run.federation.downlink
    return run.federation.unravel(heard(down, key, state.params, state.downlink).model)


def main(argv: list[str]) -> None:
    """Exports the newest checkpoint, then tests the file's model."""
    del argv
    folder, out = pathlib.Path(_WORKDIR.value), pathlib.Path(_OUT.value)
    config = ConfigDict(json.loads((folder / "config.json").read_text()))
    dataset = data.load(config.data.name, config.data.dir)
    run = build(config, dataset)
    found = Checkpoints(folder / "checkpoints", console.tell).restore(like=run.state)
    if found is None:
        raise app.UsageError(f"--workdir: {folder} holds no checkpoint")
    rounds, state, _ = found
    params = heard_params(run, state)
    inputs, labels = scaled(run.test[0]), run.test[1]
    num_classes = dataset.num_classes
    counts = packed_model.save(out, config.model, params, num_classes, inputs.shape[1:])
    trained = classifier(config.model, num_classes)
    loaded, restored, image = packed_model.load(out)
    correct = [
        int(jax.jit(models.num_correct, static_argnums=0)(model, p, inputs, labels))
        for model, p in ((trained, params), (loaded, restored))
    ]
    stored = " + ".join(f"{n:,} x {bits} bit" for bits, n in sorted(counts.items()))
    payload = sum(bits * n for bits, n in counts.items()) / 8
    console.tell(
        f"{out}: round {rounds}; {stored} = {payload:,.0f} bytes, "
        f"{out.stat().st_size:,} with names and shapes"
    )
    console.tell(
        f"test accuracy {correct[0] / labels.size:.2%} as trained, "
        f"{correct[1] / labels.size:.2%} from the file, on packed integers"
    )
    if _STABLEHLO.value:
        program = packed_model.stablehlo(loaded, restored, (1, *image))
        pathlib.Path(_STABLEHLO.value).write_bytes(program)


if __name__ == "__main__":
    app.run(main)
