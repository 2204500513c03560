"""What can't be deployed is one line, before anything is started."""

import pytest
from absl import flags
from absl.testing import flagsaver

from flq_jax.experiments import deploy
from flq_jax.experiments.process.errors import ConfigError

FLAGS = flags.FLAGS


@pytest.fixture(autouse=True)
def _parsed():
    if not FLAGS.is_parsed():
        FLAGS(["deploy"], known_only=True)


@pytest.mark.parametrize(
    "given, told",
    [
        ({"listen": "here"}, "--listen: must be HOST:PORT, got here"),
        ({"listen": "127.0.0.1:70000"}, "--listen: must be HOST:PORT, got"),
        ({"listen": "10.0.0.1:9092"}, "--listen: must be a loopback address without"),
        ({"listen": "0.0.0.0:9092"}, "--listen: must be a loopback address without"),
        ({"key": "k.pem"}, "--key: takes certificate, key, authority together"),
        (
            {"key": "k.pem", "certificate": "none.pem", "authority": "a.pem"},
            "--certificate: no such file, none.pem",
        ),
    ],
)
def test_where_the_link_listens(given, told):
    with flagsaver.flagsaver(**given), pytest.raises(ConfigError) as error:
        deploy.listening()
    assert str(error.value).startswith(told)


def test_without_flower_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(deploy.importlib.util, "find_spec", lambda name: None)
    with flagsaver.flagsaver(config="mnist_sgd"), pytest.raises(SystemExit) as ended:
        deploy.main([])
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert line == "error: flq deploy: needs Flower, pip install 'flq_jax[flower]'"


def test_loopback_needs_no_tls():
    for listen in ("127.0.0.1:0", "localhost:9092", "[::1]:9092"):
        with flagsaver.flagsaver(listen=listen):
            assert deploy.listening().is_loopback
