"""Runs an experiment: python -m experiments.main --config=configs/mnist_flq_binary.py"""

import sys

from absl import app, logging

from experiments import options, tensorboard, validate, workdir


def main(argv: list[str]) -> None:
    """Checks everything that can be wrong, then computes."""
    del argv
    logging.set_verbosity(logging.WARNING)
    config, folder = options.config(), options.workdir()
    with options.one_line_errors():
        validate.validate(config)
        if config.log.tensorboard:
            tensorboard.require_installed()
    from experiments import (
        console,
        provenance,
        train,
    )  # JAX is imported once the config is good
    from flq_jax.data import DataError, load

    with options.one_line_errors(DataError):
        dataset = load(config.data.name, config.data.dir)
        validate.require_samples(config, len(dataset.train_labels))
        workdir.prepare(folder, config)
    try:
        summary = train.train(config, dataset, folder)
    except train.Interrupted as interrupted:
        console.tell(f"{interrupted}; go on with: {provenance.command()}")
        sys.exit(interrupted.status)
    console.summary_table(summary)
    console.tell(f"{folder}: metrics.jsonl, summary.json, figures/")


if __name__ == "__main__":
    app.run(main, flags_parser=options.parse)
