"""Whether workers and beat of Celery answer.

Extra: `pip install "holdfast[celery]"`.
"""

from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from holdfast.health.check import Finding
from holdfast.health.checks.connection import check_timeout
from holdfast.health.checks.verdict import failed
from holdfast.record import text_of

if TYPE_CHECKING:
    from celery import Celery
    from kombu import Connection

TIMEOUT: Final = 1.0
MAX_TOLD: Final = 50
"""Workers and queues that details name, at most."""
BEAT: Final = "celerybeat@"
"""What beat's name begins with, unless it was given another."""

Replies: TypeAlias = dict[str, object]
"""What nodes said, by their names."""
Facts: TypeAlias = dict[str, object]

_BOUNDS: Final[Mapping[str, tuple[str, ...]]] = {
    "amqp": ("read_timeout", "write_timeout"),
    "redis": ("socket_timeout", "socket_connect_timeout"),
}
"""By kind of broker, the options that bound every wait for it."""


@dataclass(frozen=True, slots=True)
class CeleryWorkersCheck:
    """Passes when enough workers answer, and every queue has one that consumes it; thread-safe.

    Asks each worker for its queues, by remote control, and stops waiting when enough have answered. Not
    `ping`, which beat answers too. A worker answers while its tasks run, unless its pool is `solo`.
    Workers of other applications on the same broker answer as well: `queues` tells them apart.

    Raises:
        ValueError: When an option makes no sense.
    """

    app: "Celery" = field(repr=False)
    """The application."""
    _: KW_ONLY
    least: int = 1
    """Workers that have to answer, at least 1."""
    queues: Collection[str] = field(default=())
    """Names of queues that somebody has to consume."""
    timeout: float = TIMEOUT
    """Seconds, above 0, that workers get to answer, and the broker at each step."""

    def __post_init__(self) -> None:
        check_timeout(self, self.timeout)
        if self.least < 1:
            raise ValueError(f"CeleryWorkersCheck: least must be 1 or more, not {self.least}")
        if isinstance(self.queues, str):
            raise ValueError(f"CeleryWorkersCheck: queues must be names: [{self.queues!r}]")  # noqa: TRY004  # its letters would be names

    def __call__(self) -> Facts | Finding:
        """Ask them."""
        try:
            replies = _ask(self.app, "active_queues", self.timeout, self._is_enough)
        except Exception as error:  # noqa: BLE001  # whatever the broker's client raises
            return _unreachable(error)
        idle = sorted(set(self.queues) - _consumed(replies))
        details: dict[str, object] = {
            "workers": sorted(replies)[:MAX_TOLD],
            "unconsumed": idle[:MAX_TOLD],
        }
        if len(replies) < self.least:
            said = f"{len(replies)} of {self.least} workers answered in {self.timeout:g} s"
            return failed(said, **details)
        if idle:
            return failed(f"nobody consumes {', '.join(map(repr, idle[:MAX_TOLD]))}", **details)
        return details

    def _is_enough(self, replies: Replies) -> bool:
        return len(replies) >= self.least and _consumed(replies) >= set(self.queues)


@dataclass(frozen=True, slots=True)
class CeleryBeatCheck:
    """Passes when a beat answers, which it does as long as its scheduler goes on; thread-safe.

    Beat answers when it runs with `beat_enable_remote_control` (or `--enable-remote-control`), over a
    broker that can broadcast. It falls silent when its scheduler has stood still for
    `beat_remote_control_max_tick_age` seconds: by default twice its longest interval, at least 60. A
    beat embedded in a worker (`-B`) never answers.

    Raises:
        ValueError: When the time-out is not above 0.
    """

    app: "Celery" = field(repr=False)
    """The application."""
    _: KW_ONLY
    node: str = ""
    """Beat's whole name when it was given one with `-n`; by default, any beat of this broker whose
    name begins with `celerybeat@`."""
    timeout: float = TIMEOUT
    """Seconds, above 0, that beat gets to answer, and the broker at each step."""

    def __post_init__(self) -> None:
        check_timeout(self, self.timeout)

    def __call__(self) -> Facts | Finding:
        """Ask it."""
        try:
            replies = _ask(self.app, "ping", self.timeout, self._has_answered)
        except Exception as error:  # noqa: BLE001  # whatever the broker's client raises
            return _unreachable(error)
        if not self._has_answered(replies):
            said = f"no beat answered in {self.timeout:g} s; it needs beat_enable_remote_control"
            return failed(said)
        return {"beat": self._beats(replies)[:MAX_TOLD]}

    def _has_answered(self, replies: Replies) -> bool:
        return bool(self._beats(replies))

    def _beats(self, replies: Replies) -> list[str]:
        return [
            name for name in replies if (name == self.node if self.node else name.startswith(BEAT))
        ]


def _unreachable(error: Exception) -> Finding:
    said = f"the broker of Celery cannot be reached: {type(error).__name__}"
    return failed(said, error=text_of(error))


def _consumed(replies: Replies) -> set[str]:
    """Return the names of the queues that workers told; one that is starting tells none."""
    told = (cast("object", queues) for queues in replies.values() if isinstance(queues, list))
    return {
        str(cast("Mapping[str, object]", queue).get("name"))
        for queues in told
        for queue in cast("list[object]", queues)
        if isinstance(queue, Mapping)
    }


class _Enough(Exception):  # noqa: N818  # no error: the way out of kombu's loop
    """What was waited for is there."""


def _ask(
    app: "Celery", command: str, timeout: float, is_enough: Callable[[Replies], bool]
) -> Replies:
    """Ask all nodes, and return what they said as soon as that is enough."""
    replies: Replies = {}

    def take(reply: Mapping[str, object]) -> None:
        replies.update(reply)
        if is_enough(replies):
            raise _Enough

    with _connected(app, timeout) as connection:
        mailbox = cast("Any", app.control).mailbox(connection)
        mailbox.producer_pool = None  # or it would publish on a connection of the application
        with suppress(_Enough):
            mailbox.multi_call(command, timeout=timeout, callback=take)
    return replies


@contextmanager
def _connected(app: "Celery", timeout: float) -> "Generator[Connection]":
    """Give a connection of one's own to the broker, which gives up soon."""
    connection: Any = app.connection_for_write(connect_timeout=timeout, heartbeat=0)
    bounds = _BOUNDS.get(connection.transport.driver_type, ())
    connection.transport_options = {
        **(connection.transport_options or {}),
        **dict.fromkeys(bounds, timeout),
    }
    hosts = len(connection.alt or ()) or 1
    try:
        connection.ensure_connection(
            max_retries=hosts - 1,
            interval_start=0,
            interval_step=0,
            reraise_as_library_errors=False,
        )
        yield connection
        connection.release()
    except BaseException:
        _drop(connection)
        raise


def _drop(connection: "Connection") -> None:
    """Close a connection on which something went wrong."""
    if connection.transport.driver_type == "amqp":
        connection.collect()  # says no good-bye, which might not be answered
        return
    with suppress(Exception):  # what went wrong before is what counts
        connection.release()
