"""The command that writes a run's model at its true width."""

import json
import shutil

import pytest

from flq_jax import models
from flq_jax.configs import default
from flq_jax.experiments import export
from flq_jax.experiments.engine import sweep
from flq_jax.experiments.process.errors import ConfigError


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a finished run of a W1A2 network."""
    config, folder = default.get_config(), tmp_path_factory.mktemp("run")
    options = {
        "rounds": 4, "clients": 2, "data": "synthetic()", "client": "gradient(batch=10)",
        "model": "CNN((2, 4), bits=Bits(1, 2))",
        "downlink": "direct(segmented(uniform(8)))",
        "log.every": 2, "log.checkpoint_every": 4,
    }  # fmt: skip
    config.update_from_flattened_dict(options)
    assert not sweep.run_all(sweep.prepared({"": config}, folder), 1)
    return folder


@pytest.mark.more
def test_accuracy_is_reproduced_and_size_is_the_sum_of_the_widths(
    run, tmp_path, capsys
):
    """20 + 4 + 1,970 floats, 72 one-bit weights: 7,985 bytes."""
    out, program = tmp_path / "model.npz", tmp_path / "model.stablehlo"
    export.exported(run, out, str(program))
    size, accuracy = capsys.readouterr().out.splitlines()[-2:]
    assert "round 4; 72 x 1 bit + 1,994 x 32 bit = 7,985 bytes" in size
    assert f"{out.stat().st_size:,} with names" in size
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["round"] == 4
    reached = f"{100 * last['test_accuracy']:.2f} %"
    assert accuracy.startswith(f"test accuracy {reached} as trained, {reached} from")
    assert accuracy.endswith(" from the file, on packed integers")
    assert program.read_bytes().startswith(b"ML\xefR")  # MLIR bytecode


@pytest.mark.parametrize(
    "weights, activations, holds", [(32, 32, False), (1, 32, False), (8, 4, True)]
)
def test_integers_are_told_of_only_where_both_factors_are(weights, activations, holds):
    model = models.Logistic(3, bits=models.Bits(weights, activations), packed=True)
    assert export.on_integers(model, (4, 4)) == holds


def test_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="must be a run's folder, no file .*config"):
        export.exported(tmp_path, tmp_path / "model.npz", None)


@pytest.mark.parametrize("flag", ["out", "stablehlo"])
@pytest.mark.parametrize(
    "name, reason", [("", "it is a folder"), ("file/model", "File exists")]
)
def test_file_that_cannot_be_written_is_refused_before_the_work(
    flag, name, reason, run, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.delattr(export, "build")
    files = {"out": tmp_path / "model.npz", "stablehlo": None, flag: tmp_path / name}
    with pytest.raises(ConfigError, match=f"--{flag}: can't write .*: {reason}"):
        export.exported(run, files["out"], files["stablehlo"])


def test_folder_of_a_file_is_made(tmp_path):
    export.require_writable("out", tmp_path / "a/b/model.npz")
    assert (tmp_path / "a/b").is_dir() and not list((tmp_path / "a/b").iterdir())


def test_run_without_a_checkpoint_is_refused(run, tmp_path):
    (tmp_path / "config.json").write_text((run / "config.json").read_text())
    with pytest.raises(ConfigError, match="must hold a checkpoint, got"):
        export.exported(tmp_path, tmp_path / "model.npz", None)


def test_checkpoints_of_another_config_are_refused_and_stay(run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    config = json.loads((folder / "config.json").read_text())
    config["model"] = config["model"].replace("(2, 4)", "(3, 4)")
    (folder / "config.json").write_text(json.dumps(config))
    before = sorted(folder.rglob("*"))
    with pytest.raises(ConfigError, match="is not this run's: .params is float32"):
        export.exported(folder, tmp_path / "model.npz", None)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    "text", ["", "[1]", '{"rounds": "x"}', '{"model": 3}', '{"x": 1}', '{"rounds": -1}']
)
def test_a_damaged_config_is_refused_in_one_line(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigError, match="--workdir: .*config.json: ") as error:
        export.exported(tmp_path, tmp_path / "model.npz", None)
    assert "\n" not in str(error.value)


def test_options_that_the_run_did_not_know_have_their_defaults(run, tmp_path):
    written = json.loads((run / "config.json").read_text())
    del written["server"]
    (tmp_path / "config.json").write_text(json.dumps(written))
    config = export.written_config(tmp_path)
    assert config.server == "optax.sgd(step)"
    assert config.model.startswith("CNN(channels=(2, 4), ")


@pytest.mark.parametrize(
    "option, text, told",
    [
        ("model", "pathlib.Path('x')", "config.model: pathlib.Path: a file from"),
        ("model", "mine_of_export.Net()", "may name parts of flq_jax and optax alone"),
        ("data", "mine_of_export.data()", "config.data: mine_of_export.data: a file"),
        (
            "server",
            "optax.os(step)",
            "config.server: optax.os: no public name of optax",
        ),
        ("uplink", "nosuch()", "config.uplink: nosuch: no such name"),
    ],
)
def test_a_config_of_anybody_s_runs_no_code_of_its_own(
    option, text, told, run, tmp_path, monkeypatch
):
    imported = "import pathlib\npathlib.Path('x').touch()\n"
    (tmp_path / "mine_of_export.py").write_text(imported)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    written = json.loads((run / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(written | {option: text}))
    with pytest.raises(ConfigError, match=told) as error:
        export.exported(tmp_path, tmp_path / "model.npz", None)
    assert "\n" not in str(error.value) and not (tmp_path / "x").exists()


def test_an_own_module_s_digest_is_no_option(run, tmp_path):
    written = json.loads((run / "config.json").read_text())
    assert written["own_modules"] == {}
    (tmp_path / "config.json").write_text(
        json.dumps(written | {"own_modules": {"mine": 64 * "0"}})
    )
    assert export.written_config(tmp_path) == export.written_config(run)


def test_a_run_of_an_earlier_version_is_told_in_one_line(tmp_path):
    earlier = {"rounds": 5, "seed": 0, "compressor": {"quantizer": "sign"}}
    (tmp_path / "config.json").write_text(json.dumps(earlier))
    with pytest.raises(
        ConfigError, match="config.json: is an earlier version's"
    ) as end:
        export.exported(tmp_path, tmp_path / "model.npz", None)
    assert "\n" not in str(end.value)
