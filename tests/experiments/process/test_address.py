"""HOST:PORT: what it may be, and which interfaces it means."""

import pytest

from flq_jax.experiments.process import address
from flq_jax.experiments.process.address import Address
from flq_jax.experiments.process.errors import ConfigError


@pytest.mark.parametrize(
    "text, parsed",
    [
        ("localhost:1", Address("localhost", 1)),
        ("a.b-c:65535", Address("a.b-c", 65535)),
        ("[::1]:12", Address("::1", 12)),
    ],
)
def test_it_is_read_as_it_is_written(text, parsed):
    assert address.parsed(text) == parsed and str(parsed) == text


@pytest.mark.parametrize(
    "text, must",
    [
        ("a:0", r"the port must be in 1\.\.65535, got a:0"),
        ("a:65536", "the port must be"),
        ("a:" + "9" * 5000, "the port must be"),
        ("a", "must be HOST:PORT or auto, got a$"),
        ("::1:12", "must be HOST:PORT"),
        ("a b:1", "must be HOST:PORT"),
        ("a:-1", "must be HOST:PORT"),
    ],
)
def test_another_one_is_refused(text, must):
    with pytest.raises(ConfigError, match=f"--coordinator: {must}"):
        address.parsed(text)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.3.2.1", "::1"])
def test_loopback_stays_loopback(host):
    assert Address(host, 80).interface().is_loopback


def test_others_mean_every_interface():
    assert Address("10.1.2.3", 80).interface() == Address("::", 80)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 80, "..", "a\0b"])
def test_an_unknown_host_is_one_line(host):
    with pytest.raises(ConfigError, match=": no such host: ") as error:
        Address(host, 80).interface()
    assert "\n" not in str(error.value)
