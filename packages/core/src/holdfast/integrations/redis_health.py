"""Whether a Redis answers, and is what it should be.

Extra: `pip install "holdfast[redis]"`.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

try:
    import redis
    from redis import exceptions
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError as error:  # say what to install
    raise ImportError('RedisCheck needs redis: pip install "holdfast[redis]"') from error

from holdfast.clock import Clock, SystemClock
from holdfast.health.check import Finding, degraded
from holdfast.health.checks.connection import check_timeout
from holdfast.health.checks.verdict import failed
from holdfast.hooks.jobs.lease import split_url
from holdfast.record import text_of

if TYPE_CHECKING:
    from redis.cluster import RedisCluster

TIMEOUT: Final = 2.0

Target: TypeAlias = "str | redis.Redis | RedisCluster"
Facts: TypeAlias = Mapping[str, Any]

_SAID: Final = (
    (exceptions.AuthenticationError, "refuses the user or the password, or wants one"),
    (exceptions.NoPermissionError, "lets this user run no PING or INFO"),
    (exceptions.BusyLoadingError, "is loading its data"),
    (exceptions.ReadOnlyError, "is a replica, and takes no writes"),
    (exceptions.TimeoutError, "gives no answer in time"),
    (exceptions.ConnectionError, "cannot be reached"),
)
"""What errors mean; the first that fits."""

_KEPT: Final = frozenset(
    ("host", "port", "path", "db", "username", "password", "credential_provider", "protocol")
)
"""Options of a connection that say where the server is, and who asks."""
_PLAIN: Final = (redis.ConnectionPool, redis.BlockingConnectionPool)
_TOLD: Final = ("role", "connected_slaves", "master_link_status", "used_memory", "maxmemory")


@dataclass(frozen=True, slots=True)
class RedisCheck:
    """Passes when a Redis answers PING, and is what the options ask for; thread-safe.

    Asks on a connection of its own, which it closes. Only the clients of Sentinel and Cluster are used
    as they are, with the time-outs they have.

    Raises:
        ValueError: When an option makes no sense, or a URL cannot be read.
        TypeError: For a client of `redis.asyncio`, whose connections belong to the application's event
            loop; and for something else that is no client.

    Example:
        >>> RedisCheck("redis://:secret@localhost:6379/0", timeout=1.0)
        RedisCheck(timeout=1.0, writable=False, min_replicas=0, max_memory=None)
    """

    target: Target = field(repr=False)
    """URL of the server, or a client of the project's; that may be the one of a Sentinel, or a
    `RedisCluster`."""
    _: KW_ONLY
    timeout: float = TIMEOUT
    """Seconds, above 0, that connecting and each answer may take."""
    writable: bool = False
    """Whether a replica will not do."""
    min_replicas: int = 0
    """How many replicas have to be connected to it; with fewer it is degraded."""
    max_memory: float | None = None
    """Share of `maxmemory`, above 0 and up to 1, beyond which it is degraded; nothing when the
    server has no such limit."""
    clock: Clock = field(default_factory=SystemClock, repr=False, compare=False)
    """Measures the round trip."""

    def __post_init__(self) -> None:
        check_timeout(self, self.timeout)
        if self.min_replicas < 0:
            raise ValueError(f"RedisCheck: min_replicas must be 0 or more, not {self.min_replicas}")
        if self.max_memory is not None and not 0 < self.max_memory <= 1:
            raise ValueError(
                f"RedisCheck: max_memory must be a share above 0 and up to 1, not {self.max_memory}"
            )
        self._check_target()

    def __call__(self) -> dict[str, object] | Finding:
        """Ask it."""
        try:
            return self._asked()
        except exceptions.RedisError as error:
            said = next((said for kind, said in _SAID if isinstance(error, kind)), "fails")
            return failed(f"Redis {said}", error=text_of(error))

    def _check_target(self) -> None:
        target = self.target
        if isinstance(target, str):
            _check_url(target)
        elif type(target).__module__.startswith("redis.asyncio"):
            raise TypeError(
                "RedisCheck cannot use a client of redis.asyncio, whose connections belong to the event "
                "loop of the application: give it the URL"
            )
        elif not callable(getattr(target, "ping", None)):
            raise TypeError(f"RedisCheck needs a URL or a client, not {type(target).__name__}")
        elif self._wants_facts and isinstance(target, redis.RedisCluster):
            raise ValueError(
                "RedisCheck: writable, min_replicas and max_memory are of one server, not of a cluster"
            )

    @property
    def _wants_facts(self) -> bool:
        return bool(self.writable or self.min_replicas or self.max_memory)

    def _asked(self) -> dict[str, object] | Finding:
        pool = _own_pool(self.target, self.timeout)
        if pool is None:
            return self._look(self.target)
        try:
            return self._look(redis.Redis(connection_pool=pool))
        finally:
            pool.disconnect()

    def _look(self, client: object) -> dict[str, object] | Finding:
        asked: Any = client
        began = self.clock.monotonic()
        asked.ping()
        details: dict[str, object] = {"round_trip": round(self.clock.monotonic() - began, 4)}
        if not self._wants_facts:
            return details
        facts = {**asked.info("replication"), **asked.info("memory")}
        details |= {name: facts[name] for name in _TOLD if name in facts}
        return self._judged(facts, details)

    def _judged(self, facts: Facts, details: dict[str, object]) -> dict[str, object] | Finding:
        replicas, limit = facts["connected_slaves"], facts["maxmemory"]
        if self.writable and facts["role"] != "master":
            return failed("Redis is a replica, and takes no writes", **details)
        if replicas < self.min_replicas:
            return degraded(f"{replicas} of {self.min_replicas} replicas are connected", **details)
        if self.max_memory and limit and facts["used_memory"] > self.max_memory * limit:
            share = facts["used_memory"] / limit
            return degraded(f"{share:.0%} of maxmemory is in use", **details)
        return details


def _check_url(url: str) -> None:
    """Refuse a URL that cannot be read, without any of it, which may be the password."""
    try:
        split_url(url)
        _pool(url)
    except ValueError:
        raise ValueError(
            "RedisCheck: the URL cannot be read; it begins with redis://, rediss:// or unix://, and the "
            "password in it has to be percent-encoded"
        ) from None


def _own_pool(target: Target, timeout: float) -> "redis.ConnectionPool | None":
    """Return a pool for one look at the server of a URL or client; None to use the client as it is."""
    found: object = getattr(target, "connection_pool", None)
    if not isinstance(target, str) and type(found) not in _PLAIN:
        return None  # knows itself which server to ask
    pool = _pool(target) if isinstance(target, str) else cast("redis.ConnectionPool", found)
    given: Facts = pool.connection_kwargs
    options = {name: given[name] for name in given if name in _KEPT or name.startswith("ssl")}
    return redis.ConnectionPool(
        pool.connection_class,
        **options,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
    )


def _pool(url: str) -> "redis.ConnectionPool":
    return redis.ConnectionPool.from_url(url)  # pyright: ignore[reportUnknownMemberType]
