"""Leases in Redis, for locks of jobs among many hosts.

Extra: `pip install "holdfast[redis]"`. A lease lives on one server: should that fail over to a
replica that has not heard of it yet, another host may get it. Where that must not happen, keep
leases in SQL.
"""

from holdfast.hooks.jobs.lease import split_url

try:
    import redis
except ImportError as error:  # say what to install
    raise ImportError('locks in Redis need redis: pip install "holdfast[redis]"') from error

_RENEW = """
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end
return 0
"""
_DROP = """
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end
return 0
"""
TIMEOUT = 5.0
"""Seconds that a call waits for the server."""


class RedisLeases:
    """Leases in Redis, one key each.

    Args:
        client: A client with a timeout; safe for threads, as redis-py's are.
        prefix: What keys begin with.
    """

    def __init__(self, client: "redis.Redis", *, prefix: str = "holdfast:job:") -> None:
        self._client = client
        self._prefix = prefix
        self._renew = client.register_script(_RENEW)
        self._drop = client.register_script(_DROP)

    def take(self, job: str, owner: str, seconds: float) -> bool:
        """Get the lease of a job unless somebody has it; True when it was got."""
        return bool(self._client.set(self._key(job), owner, nx=True, px=_milliseconds(seconds)))

    def renew(self, job: str, owner: str, seconds: float) -> bool:
        """Begin the time of a lease again; False when the owner does not have it any more."""
        return bool(self._renew(keys=[self._key(job)], args=[owner, _milliseconds(seconds)]))

    def drop(self, job: str, owner: str) -> None:
        """Give a lease back, unless somebody else has it."""
        self._drop(keys=[self._key(job)], args=[owner])

    def owner(self, job: str) -> str:
        """Return who has the lease of a job, or an empty text."""
        found = self._client.get(self._key(job))
        return found.decode("utf-8", "replace") if isinstance(found, bytes) else found or ""

    def _key(self, job: str) -> str:
        return f"{self._prefix}{job}"


def leases(url: str) -> RedisLeases:
    """Return the leases kept by the server at a URL such as `redis://localhost:6379/0`.

    Raises:
        ValueError: When it is no such URL.
    """
    split_url(url)
    client = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
        url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT
    )
    return RedisLeases(client)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
