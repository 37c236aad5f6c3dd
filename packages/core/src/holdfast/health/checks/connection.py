"""A connection to another machine that is made, and used, within one time."""

import socket
from typing import Final, cast

from holdfast.clock import SystemClock
from holdfast.health.check import LONGEST

_MAX_PORT: Final = 65_535
_MAX_HOST: Final = 253


class Countdown:
    """What is left of a time, which begins when this is made.

    Args:
        seconds: Above 0.
    """

    def __init__(self, seconds: float) -> None:
        self._monotonic = SystemClock.monotonic
        self._until = self._monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left, above 0.

        Raises:
            TimeoutError: When none are.
        """
        seconds = self._until - self._monotonic()
        if seconds <= 0:
            raise TimeoutError("timed out")
        return seconds


def dial(host: str, port: int, countdown: Countdown) -> socket.socket:
    """Return a connection to the first address of a name that takes one; the caller closes it.

    Each address gets its share of the time, so that one which drops packets leaves some to the next.
    Looking up the name is not bounded: the system offers no way to.

    Args:
        host: Name or address.
        port: Of TCP.
        countdown: The time for it.

    Raises:
        OSError: When none does, as the last one said.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure = OSError("the name has no address")
    for place, (family, kind, protocol, _, address) in enumerate(found):
        try:
            share = countdown.left() / (len(found) - place)
            return _connected(socket.socket(family, kind, protocol), address, share)
        except OSError as error:
            failure = error
    raise failure


def _connected(sock: socket.socket, address: object, seconds: float) -> socket.socket:
    try:
        sock.settimeout(seconds)
        sock.connect(cast("tuple[str, int]", address))
    except BaseException:
        sock.close()
        raise
    return sock


def check_place(host: str, port: int) -> None:
    """Raise when there can be no such place.

    Raises:
        ValueError: For a host or a port that is none.
    """
    check_host(host, "host")
    if not 0 < port <= _MAX_PORT:
        raise ValueError(f"port must be 1 to {_MAX_PORT}, not {port}")


def check_host(host: str, option: str) -> None:
    """Raise when a host is neither name nor address.

    Args:
        host: What it says.
        option: What it is called.

    Raises:
        ValueError: When it is empty, too long, or holds what none does.
    """
    whole = 0 < len(host) <= _MAX_HOST and host.isprintable()
    if not whole or any(sign in host for sign in " /@?#"):
        raise ValueError(
            f"{option} must be a name such as 'db.example.com' or an address, without scheme, "
            f"port and path, not {host[:100]!r}"
        )


def check_timeout(check: object, timeout: float) -> None:
    """Raise when a check was given a timeout that is none.

    Raises:
        ValueError: When it is not above 0, or longer than a day.
    """
    if not 0 < timeout <= LONGEST:
        name, most = type(check).__name__, f"{LONGEST:,.0f}"
        raise ValueError(
            f"{name}: timeout must be above 0 seconds and at most {most}, not {timeout}"
        )
