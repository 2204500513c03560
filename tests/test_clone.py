"""In a clone, what lies beside the package is found as what is installed in it."""

import pathlib
import shutil
import subprocess
import sys

import flq_jax


def test_a_clone_runs_with_its_own_configs_whichever_clone_is_installed(tmp_path):
    (tmp_path / "flq_jax").mkdir()
    shutil.copy(pathlib.Path(flq_jax.__file__), tmp_path / "flq_jax")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "__init__.py").write_text("own = 'of this clone'\n")
    code = "from flq_jax import configs; print(configs.own)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "of this clone\n"
