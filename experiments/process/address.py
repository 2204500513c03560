"""Where the first of several processes listens: HOST:PORT."""

import contextlib
import ipaddress
import re
import socket
from typing import NamedTuple

from .errors import ConfigError


class Address(NamedTuple):
    """A host, by name or in figures, and a port."""

    host: str
    port: int

    def __str__(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it: localhost, 127.0.0.1, ::1."""
        if self.host == "localhost":
            return True
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return False

    def interface(self) -> "Address":
        """What to listen at: loopback alone, or else every interface, `[::]`.

        The name of a host may stand for another address there than elsewhere.

        Raises:
            ConfigError: there is no such host.
        """
        try:
            first, *_ = socket.getaddrinfo(*self, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise refusal(self, f"no such host: {reason(error)}") from error
        return Address(first[4][0] if self.is_loopback else "::", self.port)


def parsed(coordinator: str) -> Address:
    """HOST:PORT, an IPv6 host in brackets; `ConfigError` unless the port is 1..65535."""
    match = re.fullmatch(r"(?:\[([^\[\]\s]+)\]|([^:\[\]\s]+)):(\d+)", coordinator)
    if not match:
        raise ConfigError(
            f"--coordinator: must be HOST:PORT or auto, got {coordinator}"
        )
    if len(match[3]) > 5 or not 1 <= int(match[3]) <= 65535:
        raise ConfigError(
            f"--coordinator: the port must be in 1..65535, got {coordinator}"
        )
    return Address(match[1] or match[2], int(match[3]))


def refusal(where: Address, why: str) -> ConfigError:
    """The error of processes that can't be joined there."""
    return ConfigError(f"--coordinator={where}: {why}")


def reason(error: Exception) -> str:
    """What the system says of it, in words."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
