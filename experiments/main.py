"""Runs an experiment: python -m experiments.main --config=configs/mnist_flq_binary.py"""

import pathlib
import sys

from absl import app, logging
from ml_collections import ConfigDict

from experiments import heap, interrupt, options, tensorboard, validate


def main(argv: list[str]) -> None:
    """Checks everything that can be wrong, then computes."""
    del argv
    logging.set_verbosity(logging.WARNING)
    folder = options.workdir()
    with options.one_line_errors():
        configs = options.runs()
        for config in configs.values():
            validate.validate(config)
            if config.log.tensorboard:
                tensorboard.require_installed()
    heap.keep()
    with interrupt.ending(options.command()):
        run(configs, folder)


def run(configs: dict[str, ConfigDict], folder: pathlib.Path) -> None:
    """Runs the configs, which are valid, in this process."""
    # JAX is imported once the configs are good
    from experiments import cluster, console, programs, summary, sweep
    from flq_jax.data import DataError

    if options.summary():
        with options.one_line_errors(DataError):
            return summary.show(configs.values())
    programs.keep()
    with options.one_line_errors(DataError):
        coordinator, *which = options.processes()
        if coordinator:
            cluster.join(coordinator, *which)
            console.console.quiet = not cluster.first_of_us()
        runs = sweep.prepared(configs, folder)
    try:
        with options.one_line_errors():
            failures = sweep.run_all(runs, options.together())
    except Exception as error:
        if not coordinator:
            raise
        cluster.leave(error, options.command())
    if failures:
        console.tell(
            f"{len(failures)} of {len(runs)} runs failed: {', '.join(failures)}"
        )
        sys.exit(1)
    console.tell(f"{folder}: metrics.jsonl, summary.json, figures/")


if __name__ == "__main__":
    app.run(main, flags_parser=options.parse)
