"""What was submitted is what is read, or nothing is."""

import hashlib
import json
import os

import pytest

from flq_jax.configs import default
from flq_jax.experiments.options import submitted
from flq_jax.experiments.process.errors import ConfigError


def submission(**options):
    config = default.get_config()
    config.update_from_flattened_dict(options)
    config.let.bits = 4
    configs = {"a": config}
    return submitted.Submission("Why?", "python x", "c.py", configs, {"a": "0123"})


def test_it_comes_back_as_it_was(tmp_path):
    given = submission(**{"seed": 3, "model": "CNN((2, 4))", "cell.blocks": 3})
    path = submitted.write(given, tmp_path)
    assert path.parent == tmp_path / submitted.FOLDER
    assert submitted.read(str(path)) == given
    assert submitted.write(given, tmp_path) == path
    assert submitted.write(submission(seed=4), tmp_path) != path


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff", None])
def test_a_file_that_was_changed_since_is_refused(damage, tmp_path):
    path = submitted.write(submission(), tmp_path)
    path.unlink() if damage is None else path.write_bytes(damage)
    with pytest.raises(ConfigError, match=f"--submitted: can't use {path}: ") as error:
        submitted.read(str(path))
    assert "\n" not in str(error.value)
    path.write_bytes(submitted.write(submission(seed=1), tmp_path).read_bytes())
    with pytest.raises(ConfigError, match="it is not what was submitted"):
        submitted.read(str(path))


@pytest.mark.parametrize("damage", [{"configs": [1]}, {"digests": 1}, {"more": 1}])
def test_a_file_of_another_form_is_refused_though_its_name_is_right(damage, tmp_path):
    text = json.dumps(
        {"about": "", "command": "", "file": "", "configs": {}, "digests": {}} | damage
    )
    path = tmp_path / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="--submitted: can't use "):
        submitted.read(str(path))


@pytest.mark.parametrize(
    "text",
    [
        b'{"configs": []}',
        b'{"a": ' * 100_000,
        b'{"configs": {"a": {"cell": {"power_w": 1%s}}}}',
    ],
)
def test_what_is_json_but_no_submission_is_one_line(text, tmp_path):
    """Named after what it holds."""
    text = text.replace(b"%s", b"0" * 400)
    path = tmp_path / f"{hashlib.sha256(text).hexdigest()[:16]}.json"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match="--submitted: can't use ") as error:
        submitted.read(str(path))
    assert "\n" not in str(error.value)


def test_a_fifo_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.json")
    with pytest.raises(ConfigError, match="x.json is no regular file"):
        submitted.read(str(tmp_path / "x.json"))


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / submitted.FOLDER).write_text("")
    with pytest.raises(ConfigError, match="--workdir: can't write "):
        submitted.write(submission(), tmp_path)
