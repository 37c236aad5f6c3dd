"""What processes share of alerts, in Redis: totals of each, one state, and a lease for the one that leads.

Extra: `pip install "holdfast[redis]"`. Two calls at most for each process and second, and none while
nothing happens; all keys expire. Every call ends within a second, and none is on the path of a request.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final, cast

try:
    import redis
except ImportError as error:  # say what to install
    raise ImportError('shared alerts need redis: pip install "holdfast[redis]"') from error

from holdfast.clock import Clock
from holdfast.complaints import complain
from holdfast.reporting.alerts.rules import AlertRule
from holdfast.reporting.alerts.seen import MAX_RELEASES, MAX_SEEN, Memory, Seen
from holdfast.reporting.alerts.shared import SharedFolding
from holdfast.reporting.alerts.store import Answer, Fields

TIMEOUT: Final = 0.5
"""Seconds that a call waits to connect, and for an answer."""
LEASE: Final = 10_000
"""Milliseconds after which another may lead."""
MEMBER: Final = 120_000
"""Milliseconds after which a member is forgotten that has not come again."""
STATE: Final = 8 * 86_400_000
"""Milliseconds for which the state is kept: longer than a rule may ask to wait."""
SEEN: Final = 90 * 86_400_000
"""Milliseconds for which it is remembered what was seen."""

_EXCHANGE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local version = redis.call('HGET', KEYS[2], 'version') or '0'
local own = ARGV[1] .. ARGV[2]
if ARGV[3] == '0' and redis.call('EXISTS', own) == 0 then return {0, 0, version, '', now, {}} end
if ARGV[8] ~= '' then
  redis.call('DEL', ARGV[1] .. ARGV[8])
  redis.call('ZREM', KEYS[3], ARGV[8])
end
redis.call('HSET', own, '', '', unpack(ARGV, 9))
redis.call('PEXPIRE', own, ARGV[5])
redis.call('ZADD', KEYS[3], now, ARGV[2])
redis.call('PEXPIRE', KEYS[3], ARGV[5])
local lead = redis.call('GET', KEYS[1])
if not lead then
  redis.call('SET', KEYS[1], ARGV[7], 'PX', ARGV[4])
elseif lead == ARGV[7] then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
local leads = not lead or lead == ARGV[7]
local state = ''
if version ~= ARGV[6] then state = redis.call('HGET', KEYS[2], 'state') or '' end
local members = {}
if leads then
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ARGV[5])
  for _, member in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
    table.insert(members, member)
    table.insert(members, redis.call('HGETALL', ARGV[1] .. member))
  end
end
return {1, leads and 1 or 0, version, state, now, members}
"""
_KEEP = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], 'version', ARGV[2], 'state', ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
"""
_STEP_DOWN = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class RedisStore:
    """Keeps what the processes of a service share; all keys lie in one slot of a cluster.

    Args:
        client: A client that decodes, with timeouts.
        service: Whose alerts they are.
    """

    def __init__(self, client: "redis.Redis", service: str) -> None:
        prefix = f"holdfast:alerts:{{{service}}}"
        self._keys = [f"{prefix}:lead", f"{prefix}:state", f"{prefix}:members"]
        self._prefix = f"{prefix}:member:"
        self._exchange = client.register_script(_EXCHANGE)
        self._keep = client.register_script(_KEEP)
        self._step_down = client.register_script(_STEP_DOWN)

    def exchange(
        self,
        process: str,
        member: str,
        fields: Fields,
        *,
        replaces: str,
        is_new: bool,
        version: int,
    ) -> Answer:
        """Keep a member's totals, let it lead if nobody does, and return what there is."""
        told = [part for item in fields.items() for part in item]
        known = [self._prefix, member, int(is_new), LEASE, MEMBER, version, process, replaces]
        # Lua takes no more than some thousand values at a time.
        answer = self._call([*known, *told[:_MOST]])
        for first in range(_MOST, len(told), _MOST):
            answer = self._call([*known[:2], 0, *known[3:], *told[first : first + _MOST]])
        is_known, leads, now_version, state, now, members = answer
        return Answer(
            known=bool(is_known),
            leads=bool(leads),
            version=int(cast("str", now_version)),
            state=str(state),
            now=cast("int", now) / 1000,
            members=_members(cast("list[object]", members)),
        )

    def keep(self, process: str, version: int, state: str) -> bool:
        """Keep the state, if the process still leads; False when it does not."""
        return bool(self._keep(keys=self._keys[:2], args=[process, version, state, STATE, LEASE]))

    def step_down(self, process: str) -> None:
        """Let somebody else lead."""
        self._step_down(keys=self._keys[:1], args=[process])

    def _call(self, args: list[object]) -> list[object]:
        return cast("list[object]", self._exchange(keys=self._keys, args=args))  # type: ignore[arg-type]  # texts and numbers


_MOST: Final = 4000


class RedisSeen:
    """Remembers in Redis what was seen; while it is away, in this process.

    Args:
        client: A client that decodes, with timeouts.
        service: Whose alerts they are.
    """

    def __init__(self, client: "redis.Redis", service: str) -> None:
        self._client = client
        self._keys = f"holdfast:alerts:{{{service}}}:seen"
        self._releases = f"holdfast:alerts:{{{service}}}:releases"
        self._seen = Seen()

    def note(self, keys: Iterable[str], release: str) -> dict[str, tuple[bool, bool]]:
        """Remember keys; return of each whether it is seen for the first time, and new in the release."""
        asked = list(dict.fromkeys(keys))
        if all(self._seen.knows(key, release) for key in asked):
            return dict.fromkeys(asked, (False, False))
        with suppress(redis.RedisError, OSError):
            self._read(asked)
            is_first = release not in self._seen.releases
            told = self._seen.note(asked, release)
            self._write(asked, release if is_first else "")
            return told
        return self._seen.note(asked, release)

    def _read(self, asked: list[str]) -> None:
        found = cast("list[str | None]", self._client.hmget(self._keys, asked))
        known = {key: at for key, at in zip(asked, found, strict=True) if at is not None}
        releases = cast("list[str]", self._client.lrange(self._releases, 0, -1))
        self._seen.releases = releases or self._seen.releases
        self._seen.keys |= known

    def _write(self, asked: list[str], new_release: str) -> None:
        if self._client.hlen(self._keys) < MAX_SEEN:
            self._client.hset(self._keys, mapping={key: self._seen.keys[key] for key in asked})
            self._client.pexpire(self._keys, SEEN)
        if new_release:
            self._client.rpush(self._releases, new_release)
            self._client.ltrim(self._releases, -MAX_RELEASES, -1)
        self._client.pexpire(self._releases, SEEN)


def folding(
    url: str,
    rules: Iterable[AlertRule],
    *,
    service: str,
    clock: Clock,
    release: str = "",
    memory: Memory | None = None,
) -> SharedFolding:
    """Return what folds together with the other processes of a service.

    Args:
        url: Of the server, such as `redis://localhost:6379/0`.
        rules: The rules.
        service: Processes with the same name fold together.
        clock: Lets time pass.
        release: Of the service.
        memory: Knows what was seen before; by default Redis does.
    """
    client = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
        url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, decode_responses=True
    )
    return SharedFolding(
        RedisStore(client, service),
        rules,
        clock,
        memory or RedisSeen(client, service),
        release=release,
        on_failure=_say,
    )


def _members(told: list[object]) -> Mapping[str, Fields]:
    found: dict[str, Fields] = {}
    for member, flat in zip(told[::2], told[1::2], strict=True):
        each = cast("list[str]", flat)
        fields = dict(zip(each[::2], each[1::2], strict=True))
        fields.pop("", None)
        found[str(member)] = fields
    return found


def _say(failure: Exception) -> None:
    name = type(failure).__name__
    complain(f"alerts cannot be shared, each process tells its own: {name}")
