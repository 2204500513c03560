"""Writes a run's model at its true width, and checks what it wrote.

    python -m experiments.export --workdir=runs/mnist_flq_cnn --out=model.npz

`--stablehlo=model.stablehlo` also writes the program, images to logits, for CPU, CUDA and
TPU.
"""

import ast
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
from absl import app, flags, logging
from ml_collections import ConfigDict

from flq_jax import data, models
from flq_jax.data import clients
from flq_jax.data.dataset import Dataset
from flq_jax.expressions.expression import ExpressionError
from flq_jax.expressions.modules import imported_from_elsewhere
from flq_jax.federated import State
from flq_jax.quantizers.straight_through import FULL_PRECISION
from flq_jax.simulation.checkpoints import Checkpoints
from flq_jax.simulation.evaluation import AT_ONCE, heard_params, judged, totals

from .assembly.build import Run, build, split
from .assembly.check import require_fit
from .assembly.composition import canonical_texts, made
from .assembly.setting import dataset_of, known, setting
from .folder.checkpoints import restored
from .folder.claim import OWN
from .options import command_line, validation
from .options.parts import trees
from .process import console, surroundings
from .process.errors import ConfigError, one_line_errors
from .process.metric_text import shown, words
from .process.whole_files import replacing
from .reading import packed_model, run_files

_OUT = flags.DEFINE_string("out", "model.npz", "The exported model's file.")
_STABLEHLO = flags.DEFINE_string("stablehlo", None, "The exported program's file.")


def main(argv: list[str]) -> None:
    """Exports the newest checkpoint of --workdir, then tests the file's model."""
    del argv
    logging.set_verbosity(logging.WARNING)
    with one_line_errors(data.DataError, OSError):
        surroundings.pin()
        surroundings.require_devices()
        exported(command_line.workdir(), pathlib.Path(_OUT.value), _STABLEHLO.value)


def exported(folder: pathlib.Path, out: pathlib.Path, program: str | None) -> None:
    """Writes the model of a run's folder to `out`, and tells its size and what it is judged by.

    Args:
        folder: the run's.
        out: the file of the model; its folder is made if need be.
        program: likewise of the StableHLO program, if one is wanted.

    Raises:
        ConfigError: there is no run in the folder, or a file can't be written; both are
            found before anything is computed.
    """
    config = written_config(folder)
    require_writable("out", out)
    if program:
        require_writable("stablehlo", pathlib.Path(program))
    dataset = dataset_of(config)
    require_fit(config, dataset, map(len, split(config, dataset)))
    run, model = build(config, dataset), setting(config, dataset).model
    text = canonical_texts(config)["model"]
    rounds, state = newest(folder, run)
    params = heard_params(run.federation, run.root, state, rounds)
    classes = dataset.num_classes
    shape = run.test[0].shape[1:]
    counts = packed_model.save(out, text, model, params, classes, shape)
    loaded, read, image = packed_model.load(out)
    stored = " + ".join(f"{n:,} x {bits} bit" for bits, n in sorted(counts.items()))
    payload = sum(bits * n for bits, n in counts.items()) / 8
    console.tell(
        f"{out}: round {rounds}; {stored} = {payload:,.0f} bytes, "
        f"{out.stat().st_size:,} with names and shapes"
    )
    trained = figures(config, dataset, model, params)
    packed = figures(config, dataset, loaded, read)
    told = [
        f"{words(name)} {shown(name, trained[name])} as trained, {shown(name, packed[name])} "
        "from the file"
        for name in run.task.metrics
    ]
    console.tell(
        f"{'; '.join(told)}"
        f"{', on packed integers' if on_integers(loaded, image) else ''}"
    )
    if program:
        text = packed_model.stablehlo(loaded, read, (1, *image))
        with replacing(pathlib.Path(program)) as file:
            file.write(text)


def require_writable(flag: str, file: pathlib.Path) -> None:
    """Makes the file's folder; `ConfigError` unless it can be written there."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_dir():
            raise IsADirectoryError("it is a folder")
        if not os.access(file.parent, os.W_OK | os.X_OK):
            raise PermissionError("its folder is not writable")
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"--{flag}: can't write {file}: {reason}") from error


def written_config(folder: pathlib.Path) -> ConfigDict:
    """The config of a run's folder; `ConfigError` if there is none.

    Options that the run did not know yet have their defaults. Its expressions may be
    anybody's: they name what flq_jax and optax make public, and nothing else is run.
    """
    file = folder / "config.json"
    if not file.is_file():
        raise ConfigError(f"--workdir: must be a run's folder, no file {file}")
    try:
        written = run_files.config(file)
        written.pop(OWN, None)
        config = validation.from_json(written)
        validation.require_values(config)
        require_public(config)
    except ValueError as error:
        raise ConfigError(f"--workdir: {file}: {error}") from error
    return config


def require_public(config: ConfigDict) -> None:
    """Raises ValueError unless the expressions name public parts of ours alone."""
    for option, tree in trees(config).items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                try:
                    imported_from_elsewhere(ast.unparse(node))
                except ExpressionError as error:
                    raise ConfigError(f"config.{option}: {error}") from error


def newest(folder: pathlib.Path, run: Run) -> tuple[int, State]:
    """(finished rounds, state) of the newest whole checkpoint; `ConfigError` if none."""
    checkpoints = Checkpoints(folder / "checkpoints", console.tell, reading=True)
    found = restored(checkpoints, run.federation.compressor, run.state)
    checkpoints.close()
    if found is None:
        raise ConfigError(f"--workdir: must hold a checkpoint, got {folder}")
    return found[:2]


def on_integers(model: nn.Module, image: Sequence[int]) -> bool:
    """Whether some layer of the packed model computes on integers.

    Those do that have both weights and inputs of less than 32 bits.

    Args:
        model: what was read from the file.
        image: shape of one of its inputs.
    """
    widths = [cost.bits for cost in models.layer_costs(model, image)]
    return any(max(bits.weights, bits.activations) < FULL_PRECISION for bits in widths)


def figures(
    config: ConfigDict, dataset: Dataset, model: nn.Module, params: Any
) -> dict[str, float | None]:
    """The metrics of the config's task, of a model on the test examples."""
    values = known(config, dataset) | {"model": model}
    metrics = made(trees(config), "task", values).metrics
    inputs, targets = map(jax.numpy.asarray, dataset[2:4])
    shares = clients.pooled(inputs, targets).divided(AT_ONCE)
    sums = jax.device_get(jax.jit(totals(metrics))(params, shares))
    found = judged(0.0, sums, len(targets), metrics)
    return {name: found[name] for name in metrics}


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parse_flags)
