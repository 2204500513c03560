"""Runs an experiment: python -m experiments.main --config=configs/mnist_flq_binary.py"""

import pathlib
import sys

from absl import app, logging
from ml_collections import ConfigDict

from .folder import tensorboard
from .options import command_line, validation
from .process import children, cores, malloc, signals, surroundings, typed
from .process.errors import one_line_errors


def main(argv: list[str]) -> None:
    """Checks everything that can be wrong, then computes."""
    del argv
    logging.set_verbosity(logging.WARNING)
    folder = command_line.workdir()
    with one_line_errors():
        configs, _ = command_line.runs(), command_line.targets()
        for config in configs.values():
            validation.validate(config)
            if config.log.tensorboard:
                tensorboard.require_installed()
    malloc.keep()
    with signals.ending(typed.command()):
        children.end_with_parent()
        run(configs, folder)


def run(configs: dict[str, ConfigDict], folder: pathlib.Path) -> None:
    """Runs the configs, which are valid, in this process."""
    with one_line_errors():
        surroundings.pin()
        coordinator, *which = command_line.processes()
    if not coordinator:
        cores.as_devices()
    # JAX is imported once the configs are good
    from flq_jax.data import DataError

    from .engine import agreement, sweep
    from .process import compilation_cache, console, peers
    from .reading import model_costs

    if command_line.summary():
        with one_line_errors(DataError):
            return model_costs.show(configs.values())
    compilation_cache.keep()
    with one_line_errors(DataError):
        if coordinator:
            peers.join(coordinator, *which)
            console.console.quiet = not peers.first_of_us()
            agreement.require_same_options(configs, folder, command_line.together())
            for config in configs.values():
                agreement.require_clients_for_each(config)
        surroundings.require_devices()
        runs = sweep.prepared(configs, folder, command_line.digests())
    try:
        with one_line_errors():
            failures = sweep.run_all(
                runs, command_line.together(), command_line.targets()
            )
    except Exception as error:
        if not coordinator:
            raise
        peers.leave(error, typed.command())
    if failures:
        console.tell(
            f"{len(failures)} of {len(runs)} runs failed: {', '.join(failures)}"
        )
        sys.exit(1)
    console.tell(f"{folder}: metrics.jsonl, summary.json, figures/")


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parse)
