"""Whether a port takes connections."""

from dataclasses import KW_ONLY, dataclass

from holdfast.health.checks.connection import Countdown, check_place, check_timeout, dial


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """Fails while nobody takes a connection at a port; nothing is sent.

    Raises:
        ValueError: When an option makes no sense.

    Example:
        >>> TcpCheck("db.example.com", 5432)
        TcpCheck(host='db.example.com', port=5432, timeout=2.0)
    """

    host: str
    """Name or address."""
    port: int
    """1 to 65535."""
    _: KW_ONLY
    timeout: float = 2.0
    """Seconds, above 0, for all addresses of the name together; looking it up comes before them."""

    def __post_init__(self) -> None:
        check_place(self.host, self.port)
        check_timeout(self, self.timeout)

    def __call__(self) -> dict[str, object]:
        """Connect and hang up.

        Raises:
            OSError: When there is no connection.
        """
        with dial(self.host, self.port, Countdown(self.timeout)) as sock:
            return {"address": sock.getpeername()[0]}
