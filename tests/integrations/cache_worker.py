"""One process of several that ask one cache in Redis: `python cache_worker.py URL NAME MODE THREADS`.

Waits for a line on its standard input, lets all threads ask at once, and writes what they got. The
function counts its calls in Redis.
"""

import json
import sys
import threading
from collections import Counter

import redis

from holdfast import DependencyError
from holdfast.clock import SystemClock
from holdfast.integrations.redis_cache import store
from holdfast.resilience.backoff import Constant
from holdfast.resilience.cache import Cache


def main(url: str, name: str, mode: str, threads: int) -> None:
    """Ask by many threads."""
    counter = redis.Redis.from_url(url)  # pyright: ignore[reportUnknownMemberType]
    cache = Cache(name, ttl=60.0, store=store(url), backoff=Constant(30.0), wait=20.0)
    clock = SystemClock()

    def factory() -> str:
        counter.incr(f"{name}:calls")
        clock.sleep(0.2)
        if mode == "stale":
            raise DependencyError("the shop's prices are away")
        return "new"

    found: list[str] = []

    def ask() -> None:
        barrier.wait()
        answer = cache.answer("key", factory)
        found.append(f"{answer.value} {answer.source}")

    cache.get("other", lambda: "warm")
    barrier = threading.Barrier(threads + 1)
    asking = [threading.Thread(target=ask) for _ in range(threads)]
    for thread in asking:
        thread.start()
    print("ready", flush=True)  # noqa: T201  # to the test
    sys.stdin.readline()
    barrier.wait()
    for thread in asking:
        thread.join()
    print(json.dumps(Counter(found)), flush=True)  # noqa: T201  # to the test


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
