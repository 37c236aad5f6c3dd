"""Whether a server's certificate is good, and for how long."""

import ssl
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, datetime
from typing import Final, cast

from holdfast.clock import Clock, SystemClock
from holdfast.health.check import Finding, degraded
from holdfast.health.checks.connection import (
    Countdown,
    check_host,
    check_place,
    check_timeout,
    dial,
)
from holdfast.health.checks.verdict import failed

_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class CertificateCheck:
    """Fails when the certificate of a TLS server is not trusted, and says why; warns before it ends.

    Not trusted are, among others, one that has expired, is not valid yet, has another name, or was
    signed by nobody known. A server that begins in plain text (STARTTLS) is none of TLS here.

    Raises:
        ValueError: When an option makes no sense.

    Example:
        >>> CertificateCheck("shop.example.com", warn_days=14).fail_days
        3
    """

    host: str
    """Name or address."""
    port: int = 443
    """1 to 65535."""
    _: KW_ONLY
    warn_days: float = 21
    """Days left from which on it warns; not below `fail_days`."""
    fail_days: float = 3
    """Days left from which on it fails, 0 and above."""
    server_name: str = ""
    """Name that the certificate has to have, and that the server is told. Default: the host."""
    cafile: str = ""
    """File of the authorities that may have signed it. Default: those of the system."""
    timeout: float = 2.0
    """Seconds, above 0, from connecting to the end of the handshake."""
    clock: Clock = field(default_factory=SystemClock, repr=False, compare=False)
    """What days are counted by; trust goes by the time of the machine."""

    def __post_init__(self) -> None:
        check_place(self.host, self.port)
        check_host(self._name(), "server_name")
        check_timeout(self, self.timeout)
        if not 0 <= self.fail_days <= self.warn_days:
            raise ValueError(
                f"fail_days must be 0 or more and not above warn_days, not {self.fail_days} "
                f"with {self.warn_days}"
            )

    def __call__(self) -> dict[str, object] | Finding:
        """Shake hands and look.

        Raises:
            OSError: When there is no connection, or nobody who speaks TLS.
        """
        try:
            ends = self._expiry()
        except ssl.SSLCertVerificationError as error:
            return failed(f"not trusted: {error.verify_message}", code=error.verify_code)
        left = round((ends - self.clock.now()).total_seconds() / _DAY, 1)
        facts: dict[str, object] = {"expires": ends.isoformat(), "days_left": left}
        if left <= self.fail_days:
            return failed(f"ends in {left:g} days", **facts)
        return degraded(f"ends in {left:g} days", **facts) if left <= self.warn_days else facts

    def _expiry(self) -> datetime:
        countdown = Countdown(self.timeout)
        context = ssl.create_default_context(cafile=self.cafile or None)
        with dial(self.host, self.port, countdown) as plain:
            plain.settimeout(countdown.left())
            with context.wrap_socket(plain, server_hostname=self._name()) as secured:
                told = cast("dict[str, object]", secured.getpeercert())
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(told["notAfter"])), UTC)

    def _name(self) -> str:
        return self.server_name or self.host
