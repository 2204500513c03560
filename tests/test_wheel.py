"""The wheel: one name at the top level, and commands that work from any folder."""

import json
import shlex
import shutil
import zipfile

import pytest
from installed import BESIDE, ROOT, call


@pytest.fixture
def mine(tmp_path):
    """A user's folder, with packages that have our rooms' names and can't be imported."""
    for name in (*BESIDE, "data", "flq_jax_runs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('mine')\n")
    return tmp_path


def test_nothing_but_flq_jax_stands_at_the_top_level(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top.partition("-")[0] for top in tops} == {"flq_jax"} and len(tops) == 2


def test_every_file_of_the_packages_is_in_it(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    kinds = {".py", ".html", ".txtpb", ".gz"}
    for folder in ("flq_jax", *BESIDE):
        within = "" if folder == "flq_jax" else "flq_jax/"
        files = [f for f in (ROOT / folder).rglob("*") if f.suffix in kinds]
        assert files
        for file in files:
            assert within + file.relative_to(ROOT).as_posix() in names


@pytest.mark.more
def test_a_shipped_config_runs_by_its_name(site, mine):
    args = ["run", "--config=mnist_sgd", "--config.rounds=2"]
    args += ["--config.data=synthetic()", "--config.client=gradient(batch=20)"]
    module = "flq_jax.experiments.command"
    done = call(["-m", module, *args], mine, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stderr
    summary = json.loads((mine / "runs/mnist_sgd/summary.json").read_text())
    assert summary["round"] == 2
    assert summary["command"] == f"python -m {module} {shlex.join(args)}"
    assert summary["source"].startswith("file:")  # the wheel's: it is no checkout


def test_the_command_names_the_nearest_and_starts_nothing(site, mine):
    flq, before = site / "bin" / "flq", sorted(mine.iterdir())
    done = call([flq, "run", "--config=mnist_sdg"], mine, PYTHONPATH=str(site))
    assert done.returncode == 2 and sorted(mine.iterdir()) == before
    assert done.stderr == (
        "error: --config: no file mnist_sdg; did you mean mnist_sgd?\n"
    )


def test_a_shipped_config_s_file_works_wherever_it_is_copied(site, mine):
    """Whatever else it imports: this one is `mnist_flq_low` with another model."""
    name = "mnist_flq_low_mlp.py"
    shutil.copy(site / "flq_jax/configs" / name, mine / "own.py")
    args = [site / "bin" / "flq", "run", "--config=own.py", "--config_help"]
    done = call(args, mine, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: flq run --config=FILE")
    assert "* --config.model=" in done.stdout
