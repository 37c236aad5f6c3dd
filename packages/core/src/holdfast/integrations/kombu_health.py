"""Whether a RabbitMQ answers, and how long a queue of its is.

Extra: `pip install "holdfast[kombu]"`.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final

try:
    from kombu import Connection, Producer
except ImportError as error:  # say what to install
    raise ImportError('RabbitCheck needs kombu: pip install "holdfast[kombu]"') from error

from holdfast.health.check import Finding, degraded
from holdfast.health.checks.connection import check_timeout
from holdfast.health.checks.verdict import failed
from holdfast.ids import long_id
from holdfast.record import text_of

TIMEOUT: Final = 2.0
SCHEMES: Final = ("amqp://", "amqps://", "pyamqp://")

_NO_QUEUE: Final = 404
_SAID: Final = {
    403: "RabbitMQ refuses the user, the password, or what the user asks for",
    405: "the queue is another connection's alone",
    530: "RabbitMQ has no such virtual host, or not for this user",
}
"""What the reply codes of AMQP mean."""


@dataclass(frozen=True, slots=True)
class RabbitCheck:
    """Passes when a RabbitMQ lets one in and opens a channel; thread-safe.

    Connects anew each time, and closes. Declares nothing.

    Raises:
        ValueError: When an option makes no sense.

    Example:
        >>> RabbitCheck("amqp://guest:guest@localhost//", queue="orders", max_messages=1_000)
        RabbitCheck(queue='orders', max_messages=1000, publishing=False, timeout=2.0)
    """

    url: str = field(repr=False)
    """URL of the broker; several, divided by `;`, are tried in turn."""
    _: KW_ONLY
    queue: str = ""
    """A queue that has to be there, and whose length and consumers are told."""
    max_messages: int | None = None
    """Messages ready in that queue above which it is degraded; 0 and above."""
    publishing: bool = False
    """Whether to see that publishers are not blocked by an alarm (memory, disk), in which case it
    is degraded: sends one message that no queue gets, so the user has to be allowed to write to the
    default exchange."""
    timeout: float = TIMEOUT
    """Seconds, above 0, that connecting and each answer may take."""

    def __post_init__(self) -> None:
        if not all(part.startswith(SCHEMES) for part in self.url.split(";")):
            raise ValueError("RabbitCheck: the URL must begin with amqp:// or amqps://")
        check_timeout(self, self.timeout)
        if self.max_messages is not None and not self.queue:
            raise ValueError("RabbitCheck: max_messages needs the name of a queue")
        if self.max_messages is not None and self.max_messages < 0:
            raise ValueError(
                f"RabbitCheck: max_messages must be 0 or more, not {self.max_messages}"
            )

    def __call__(self) -> dict[str, object] | Finding:
        """Ask it."""
        details: dict[str, Any] = {}
        try:
            with _connected(self.url, self.timeout) as connection:
                return self._look(connection, details)
        except _BlockedError:
            return degraded("RabbitMQ takes no messages because of an alarm", **details)
        except Exception as error:  # noqa: BLE001  # amqp's, the system's, TLS's
            details["error"] = text_of(error)
            return failed(self._said(error), **details)

    def _look(self, connection: Connection, details: dict[str, Any]) -> dict[str, object] | Finding:
        wire: Any = connection
        details["version"] = str(wire.connection.server_properties.get("version", ""))
        channel = wire.channel()
        if self.queue:
            found = channel.queue_declare(self.queue, passive=True)
            details |= {"messages": found.message_count, "consumers": found.consumer_count}
        if self.publishing:
            Producer(channel).publish(b"", routing_key=f"holdfast.health.{long_id()}")
        channel.close()  # answered only after all that was sent before
        if self.max_messages is not None and details["messages"] > self.max_messages:
            output = f"{details['messages']} messages wait in {self.queue!r}"
            return degraded(output, **details)
        return details

    def _said(self, error: Exception) -> str:
        code = getattr(error, "reply_code", None)
        if code == _NO_QUEUE and self.queue:
            return f"RabbitMQ has no queue {self.queue!r}"
        if code in _SAID:
            return _SAID[code]
        if isinstance(error, TimeoutError):
            return f"RabbitMQ gives no answer in {self.timeout:g} s"
        return f"RabbitMQ cannot be reached: {type(error).__name__}"


class _BlockedError(Exception):
    """RabbitMQ said that it takes no messages."""


def _blocked(reason: str) -> None:
    raise _BlockedError(reason)


@contextmanager
def _connected(url: str, timeout: float) -> Generator[Connection]:
    """Give a connection that gives up at once, whatever happens to it."""
    options = {"read_timeout": timeout, "write_timeout": timeout, "on_blocked": _blocked}
    connection = Connection(url, connect_timeout=timeout, heartbeat=0, transport_options=options)
    try:
        connection.ensure_connection(
            max_retries=url.count(";"),
            interval_start=0,
            interval_step=0,
            reraise_as_library_errors=False,
        )
        yield connection
        connection.release()
    except BaseException:
        connection.collect()  # says no good-bye, which might not be answered
        raise
