"""A store in Redis, for a cache that all processes share.

Extra: `pip install "holdfast[redis]"`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError as error:  # say what to install
    raise ImportError('a cache in Redis needs redis: pip install "holdfast[redis]"') from error

TIMEOUT: Final = 1.0
"""Seconds that a call waits for the server: more than the value is worth, mostly."""
_BATCH: Final = 1_000
_SPECIAL: Final = str.maketrans({each: f"\\{each}" for each in "\\*?[]"})


class RedisStore:
    """Keeps values in Redis; thread-safe.

    Args:
        client: A client that returns bytes. Give it a time-out, and no retries: when the first call
            fails, the cache does without the server until it is back.

    Raises:
        ValueError: For a client that decodes what it reads.
    """

    blocking = True
    keeps_objects = False

    def __init__(self, client: "redis.Redis") -> None:
        options: Mapping[str, object] = client.connection_pool.connection_kwargs
        if options.get("decode_responses"):
            raise ValueError("RedisStore needs a client that returns bytes: decode_responses=False")
        self._client: Any = client

    def get(self, key: str) -> object:
        """Return the value of a key, or None."""
        value: object = self._client.get(key)
        return value

    def get_many(self, keys: Sequence[str]) -> Mapping[str, object]:
        """Return the values of those keys that have one."""
        found = cast("Sequence[object]", self._client.mget(keys))
        return {key: value for key, value in zip(keys, found, strict=True) if value is not None}

    def set(self, key: str, value: object, ttl: float) -> None:
        """Keep a value for so many seconds."""
        self._client.set(key, value, px=_milliseconds(ttl))

    def add(self, key: str, value: object, ttl: float) -> bool:
        """Keep a value unless the key has one; False when it has."""
        return bool(self._client.set(key, value, nx=True, px=_milliseconds(ttl)))

    def delete(self, key: str) -> None:
        """Forget a key."""
        self._client.delete(key)

    def iterate(self, prefix: str) -> Iterator[str]:
        """Yield every key that begins with a prefix, without stopping the server meanwhile."""
        keys: Iterator[bytes] = self._client.scan_iter(
            match=f"{prefix.translate(_SPECIAL)}*", count=_BATCH
        )
        return (key.decode() for key in keys)


def store(url: str, *, timeout: float = TIMEOUT) -> RedisStore:
    """Return the store on the server at a URL such as `redis://localhost:6379/0`.

    Args:
        url: Of the server.
        timeout: Seconds that a call waits for it.

    Raises:
        ValueError: When it is no such URL.
    """
    client = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
    )
    return RedisStore(client)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
