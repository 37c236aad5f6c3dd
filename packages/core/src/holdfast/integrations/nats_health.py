"""Whether a NATS server answers.

Extra: `pip install "holdfast[nats]"`.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final, cast
from urllib.parse import urlsplit

try:
    from nats import errors
    from nats.aio.client import Client
    from nats.js.errors import Error as JetStreamError
except ImportError as error:  # say what to install
    raise ImportError('NatsCheck needs nats-py: pip install "holdfast[nats]"') from error

from holdfast.clock import Clock, SystemClock
from holdfast.health.check import Finding
from holdfast.health.checks.connection import check_timeout
from holdfast.health.checks.verdict import failed
from holdfast.record import text_of

TIMEOUT: Final = 2.0
SCHEMES: Final = frozenset({"nats", "tls", "ws", "wss"})

_GOOD_BYE: Final = 0.5
"""Seconds that closing may take."""


@dataclass(frozen=True, slots=True)
class NatsCheck:
    """Passes when a NATS server lets one in and answers a ping; asynchronous.

    Connects anew each time, without trying again, and closes.

    Raises:
        ValueError: When an option makes no sense.

    Example:
        >>> NatsCheck("nats://localhost:4222", jetstream=True)
        NatsCheck(jetstream=True, timeout=2.0)
    """

    servers: str | Sequence[str] = field(repr=False)
    """URL of a server, or of several, one of which has to answer."""
    _: KW_ONLY
    jetstream: bool = False
    """Whether JetStream has to be there, for this user."""
    timeout: float = TIMEOUT
    """Seconds, above 0, that all of it may take."""
    options: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)
    """Further options of nats-py's `connect`, such as `user_credentials` or `tls`."""
    clock: Clock = field(default_factory=SystemClock, repr=False, compare=False)
    """Measures the round trip."""

    def __post_init__(self) -> None:
        check_timeout(self, self.timeout)
        if not self._servers or not all(map(_is_url, self._servers)):
            raise ValueError(
                "NatsCheck: servers must be URLs that begin with nats://, tls://, ws:// or wss://, with "
                "the password percent-encoded"
            )

    async def __call__(self) -> dict[str, object] | Finding:
        """Ask it."""
        met: list[Exception] = []
        try:
            async with asyncio.timeout(self.timeout), self._connected(met) as client:
                return await self._look(client)
        except Exception as error:  # noqa: BLE001  # of nats-py, the system, TLS
            why = met[-1] if isinstance(error, errors.NoServersError) and met else error
            return failed(self._said(why), error=text_of(why))

    @property
    def _servers(self) -> list[str]:
        return [self.servers] if isinstance(self.servers, str) else list(self.servers)

    @asynccontextmanager
    async def _connected(self, met: list[Exception]) -> AsyncGenerator[Client]:
        async def note(error: Exception) -> None:
            met.append(error)  # nats-py would log it, or go on without a word

        client = Client()
        try:
            # With 0 attempts nats-py would try for ever; with 1 it makes two, at once.
            await cast("Any", client).connect(
                self._servers,
                error_cb=note,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=self.timeout,
                **self.options,
            )
            yield client
        finally:
            with suppress(Exception):
                async with asyncio.timeout(_GOOD_BYE):
                    await client.close()

    async def _look(self, client: Client) -> dict[str, object]:
        began = self.clock.monotonic()
        await cast("Any", client).flush(self.timeout)
        version = client.connected_server_version
        details: dict[str, object] = {
            "round_trip": round(self.clock.monotonic() - began, 4),
            "version": f"{version.major}.{version.minor}.{version.patch}",
        }
        if self.jetstream:
            account = await cast("Any", client).jetstream(timeout=self.timeout).account_info()
            details |= {"streams": account.streams, "consumers": account.consumers}
        return details

    def _said(self, error: Exception) -> str:
        if isinstance(error, errors.NoRespondersError | JetStreamError):
            return "NATS has no JetStream for this user"
        if "authorization violation" in str(error).lower() or isinstance(
            error, errors.AuthorizationError
        ):
            return "NATS refuses the user or the password, or wants one"
        if isinstance(error, TimeoutError):
            return f"NATS gives no answer in {self.timeout:g} s"
        return f"NATS cannot be reached: {type(error).__name__}"


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
