"""Runs by the command that users give, and what two equal ones must share."""

import json
import pathlib
import subprocess
import sys

SEEDS = '''"""{about}"""

from flq_jax.configs import default


def get_config():
    return default.get_config()


def sweep():
    runs = {{}}
    for seed in (0, 1):
        config = get_config()
        config.seed, config.data = seed, "synthetic()"
        config.client = "gradient(batch=20)"{more}
        runs[f"{name}{{seed}}"] = config
    return runs
'''
ROOT = pathlib.Path(__file__).parent.parent
QUICK = [
    "--config.data=synthetic()",
    "--config.client=gradient(batch=20)",
    "--config.log.every=5",
    "--config.log.checkpoint_every=10",
]


def command(name, workdir, *options):
    """The command line of a config's run in `workdir`."""
    return [
        sys.executable, "-m", "experiments.main", f"--config=configs/{name}.py",
        f"--workdir={workdir}", *QUICK, *options,
    ]  # fmt: skip


def call(args, env=None):
    """What a command came to, with what it printed."""
    return subprocess.run(
        args,
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def results(workdir):
    """What two equal runs must share, byte for byte, and their final state."""
    summary = json.loads((workdir / "summary.json").read_text())
    for name in ("wall_seconds", "command", "name"):
        del summary[name]
    newest = max(int(path.name) for path in (workdir / "checkpoints").iterdir())
    note = json.loads((workdir / f"checkpoints/{newest}/note/metadata").read_text())
    files = [(workdir / f"metrics.{end}").read_bytes() for end in ("jsonl", "csv")]
    return summary, files, note["note"]["progress"], note["state_sha256"]


def sweep_of_seeds(about, name, *more):
    """The text of a config file whose sweep has two seeds, called `name`0 and 1."""
    return SEEDS.format(about=about, name=name, more="\n        ".join(["", *more]))
