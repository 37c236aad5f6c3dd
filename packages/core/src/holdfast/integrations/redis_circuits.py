"""What workers share of circuits, in Redis: one record of each circuit, and who has opened it.

Extra: `pip install "holdfast[redis]"`. One round trip for each worker and exchange, and one more
for a change; every key expires; nothing connects before the first of them. All times are the server's.
"""

from collections.abc import Iterable, Mapping
from typing import Final, cast

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.client import Pipeline
    from redis.retry import Retry
except ImportError as error:  # say what to install
    raise ImportError('shared circuits need redis: pip install "holdfast[redis]"') from error

from holdfast.resilience.circuit.period import State
from holdfast.resilience.circuit.sharing import Fleet, Heard, Stock

TIMEOUT: Final = 0.5
"""Seconds that is waited to connect, and for an answer."""
MEMBER: Final = 5_000
"""Milliseconds after which a worker is not counted that was not heard of."""
RECORD: Final = 86_400_000
"""Milliseconds for which the state of a circuit is kept that no worker asks for."""

_EXCHANGE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[2], now, ARGV[1])
if ARGV[2] == '1' then
  redis.call('ZADD', KEYS[3], now, ARGV[1])
else
  redis.call('ZREM', KEYS[3], ARGV[1])
end
for i = 2, 3 do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - ARGV[3])
  redis.call('PEXPIRE', KEYS[i], ARGV[3])
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
local told = {now, redis.call('ZCARD', KEYS[2]), redis.call('ZCARD', KEYS[3])}
for _, value in ipairs(redis.call('HMGET', KEYS[1], 'state', 'version', 'until', 'holder', 'reason')) do
  table.insert(told, value or '')
end
for i = 4, #KEYS do
  table.insert(told, redis.call('GET', KEYS[i]) or '')
end
return told
"""
_SETTLE = """
local version = redis.call('HGET', KEYS[1], 'version') or '0'
if version ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'state', ARGV[3], 'until', ARGV[4],
  'holder', ARGV[5], 'reason', ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[7])
if #KEYS == 1 or ARGV[3] == 'half-open' then return 1 end
redis.call('SET', KEYS[2], ARGV[3])
if ARGV[3] == 'open' then
  local now = tonumber(redis.call('TIME')[1])
  if now > (tonumber(redis.call('GET', KEYS[3]) or '0') or 0) then
    redis.call('SET', KEYS[3], now)
  end
else
  redis.call('SET', KEYS[4], 0)
  redis.call('SET', KEYS[5], 0)
end
return 1
"""
_COUNTERS: Final = ("fail_counter", "success_counter")


class RedisStore:
    """Keeps what the workers of a service share; all keys of a circuit lie in one slot of a cluster.

    Args:
        url: Of the server, such as `redis://localhost:6379/0`; nothing connects before it is asked.
        service: Workers with the same name share.
        stock: Namespaces of pybreaker's keys, by circuit: those are read and written as well, so
            that workers with stock pybreaker see what these do, and these see theirs. Empty: the
            keys without a namespace.
    """

    def __init__(self, url: str, service: str, stock: Mapping[str, str] | None = None) -> None:
        self._client = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
            url,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),  # whoever calls does, and knows for how long
        )
        self._service = service
        self._stock = stock or {}

    def exchange(self, member: str, told: Mapping[str, bool]) -> Mapping[str, Heard]:
        """Keep for each circuit whether this worker is failing; return what there is of each."""
        with self._pipeline() as pipe:
            for name, is_failing in told.items():
                keys = [*self._keys(name), *self._stock_keys(name, "state", "opened_at")]
                args = (member, int(is_failing), MEMBER, RECORD)
                pipe.eval(_EXCHANGE, len(keys), *keys, *args)
            answers = cast("list[list[str | int]]", pipe.execute())
        return {name: _heard(answer) for name, answer in zip(told, answers, strict=True)}

    def settle(self, name: str, expected: int, fleet: Fleet) -> bool:
        """Keep a record, unless the last version is another than expected; tell whether it was kept."""
        keys = [self._keys(name)[0], *self._stock_keys(name, "state", "opened_at", *_COUNTERS)]
        until, reason = int(fleet.until * 1000), fleet.reason
        args = (expected, fleet.version, fleet.state.value, until, fleet.holder, reason, RECORD)
        return bool(self._client.eval(_SETTLE, len(keys), *keys, *args))

    def leave(self, member: str, names: Iterable[str]) -> None:
        """Forget a worker that ends, and let go of the connection."""
        with self._pipeline() as pipe:
            for name in names:
                for key in self._keys(name)[1:]:
                    pipe.zrem(key, member)
            pipe.execute()
        self._client.close()

    def _pipeline(self) -> Pipeline:
        return self._client.pipeline(transaction=False)  # pyright: ignore[reportUnknownMemberType]

    def _keys(self, name: str) -> list[str]:
        prefix = f"holdfast:circuits:{{{self._service}:{name}}}"
        return [f"{prefix}:fleet", f"{prefix}:live", f"{prefix}:failing"]

    def _stock_keys(self, name: str, *keys: str) -> list[str]:
        space = self._stock.get(name)
        if space is None:
            return []
        prefix = f"{space}:pybreaker" if space else "pybreaker"
        return [f"{prefix}:{key}" for key in keys]


def _heard(answer: list[str | int]) -> Heard:
    now, live, failing, state, version, until, holder, reason, *stock = answer
    fleet = Fleet()
    if version:
        fleet = Fleet(
            State(str(state)),
            int(version),
            int(until) / 1000,
            holder=str(holder),
            reason=str(reason),
        )
    return Heard(fleet, int(live), int(failing), int(now) / 1000, _stock(stock))


def _stock(told: list[str | int]) -> Stock | None:
    if not told or told[0] not in set(State):
        return None
    return Stock(State(str(told[0])), float(told[1]) if told[1] else None)
