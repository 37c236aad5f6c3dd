"""What is claimed of caches, and how it is tried."""

import asyncio
from collections.abc import Callable
from threading import Condition, Event

from benchmarks.compared.answer import LONG, PATIENCE, Answer, Running
from benchmarks.compared.circuits import NoConnection
from benchmarks.compared.keeping import TTL, CacheLibrary, Kept

THREADS = 8
KEY = "sku-81"


def _fails() -> object:
    raise NoConnection("no route")


def _after(cache: Kept, seconds: float) -> Kept:
    cache.get(KEY, lambda: 1)
    cache.elapse(seconds)
    return cache


def cold(library: CacheLibrary) -> Answer:
    """Let eight threads ask for what is not there, while the first of them is making it."""
    cache, change, release, made = library.cache(), Condition(), Event(), list[int]()

    def make() -> object:
        with change:
            made.append(1)
            change.notify_all()
        release.wait(LONG)
        return 881

    running = [Running(lambda: cache.get(KEY, make)) for _ in range(THREADS)]
    with change:
        change.wait_for(lambda: len(made) > 1, PATIENCE)
    release.set()
    ended = all(one.is_over(LONG) and one.value == 881 for one in running)
    return Answer(ended and len(made) == 1, "" if len(made) == 1 else f"{len(made)} times")


def cold_tasks(library: CacheLibrary) -> Answer:
    """Let eight tasks ask for what is not there, while the first of them is making it."""
    cache, made = library.cache(), list[int]()

    async def ask() -> list[object]:
        release = asyncio.Event()

        async def make() -> object:
            made.append(1)
            await release.wait()
            return 881

        tasks = [asyncio.create_task(_aget(cache, make)) for _ in range(THREADS)]
        for _ in range(50):
            await asyncio.sleep(0)
        release.set()
        return await asyncio.gather(*tasks)

    values = asyncio.run(ask())
    return Answer(
        values == [881] * THREADS and len(made) == 1, f"{len(made)} times" * (len(made) > 1)
    )


async def _aget(cache: Kept, make: Callable[[], object]) -> object:
    return await cache.aget(KEY, make)  # type: ignore[arg-type]  # of a coroutine function


def renewed(library: CacheLibrary) -> Answer:
    """Ask for a value that has expired, while somebody else renews it."""
    cache, begun, release = _after(library.cache(), TTL + 1), Event(), Event()

    def make() -> object:
        begun.set()
        release.wait(LONG)
        return 2

    renewing = Running(lambda: cache.get(KEY, make))
    begun.wait(LONG)
    asking = Running(lambda: cache.get(KEY, lambda: 3))
    served = asking.is_over()
    release.set()
    renewing.is_over(LONG)
    asking.is_over(LONG)
    if not served:
        return Answer(holds=False, said="they wait")
    return Answer(asking.value == 1, "" if asking.value == 1 else "each makes it anew")


def stale(library: CacheLibrary) -> Answer:
    """Fail to renew a value that has expired."""
    cache = _after(library.cache(), TTL + 1)
    try:
        return Answer(cache.get(KEY, _fails) == 1)
    except NoConnection:
        return Answer(holds=False, said="the error comes out")


def left_alone(library: CacheLibrary) -> Answer:
    """Ask ten times for a value that cannot be renewed."""
    cache, made = _after(library.cache(), TTL + 1), list[int]()

    def make() -> object:
        made.append(1)
        raise NoConnection("no route")

    for _ in range(10):
        try:
            cache.get(KEY, make)
        except NoConnection:  # each call is one
            continue
    return Answer(len(made) == 1, "" if len(made) == 1 else f"asked {len(made)} times")


def source(library: CacheLibrary) -> Answer:
    """Ask for a value, and for where it comes from."""
    cache = library.cache()
    seen = [cache.source(KEY, lambda: 1), cache.source(KEY, lambda: 1)]
    cache.elapse(TTL + 1)
    seen.append(cache.source(KEY, _fails))
    return Answer(seen == ["computed", "fresh", "stale"])


def away(library: CacheLibrary) -> Answer:
    """Ask a store that cannot be reached."""
    cache = library.away()
    try:
        return Answer(cache.get(KEY, lambda: 881) == 881)
    except ConnectionError:
        return Answer(holds=False, said="its error comes out")


def garbled(library: CacheLibrary) -> Answer:
    """Find in the store what nobody can read."""
    cache = library.garbled(KEY)
    try:
        return Answer(cache.get(KEY, lambda: 881) == 881)
    except Exception as error:
        return Answer(holds=False, said=f"`{type(error).__name__}`")


def negative(library: CacheLibrary) -> Answer:
    """Ask twice for what does not exist."""
    cache, made = library.negative(LookupError), list[int]()

    def missing() -> object:
        made.append(1)
        raise LookupError(KEY)

    for _ in range(2):
        try:
            cache.get(KEY, missing)
        except LookupError:  # each call is one
            continue
    return Answer(len(made) == 1)


def tags(library: CacheLibrary) -> Answer:
    """Forget what has one tag."""
    cache = library.cache()
    cache.tag("a", 1, "red")
    cache.tag("b", 1, "blue")
    cache.forget_tag("red")
    return Answer((cache.get("a", lambda: 2), cache.get("b", lambda: 2)) == (2, 1))


def pattern(library: CacheLibrary) -> Answer:
    """Forget keys by a pattern."""
    cache = library.cache()
    for key in ("user:1", "user:2", "stock:1"):
        cache.get(key, lambda: 1)
    cache.forget_pattern("user:*")
    found = [cache.get(key, lambda: 2) for key in ("user:1", "user:2", "stock:1")]
    return Answer(found == [2, 2, 1])


def bound(library: CacheLibrary) -> Answer:
    """Keep a thousand entries in room for a hundred."""
    cache = library.bounded(100)
    for number in range(1000):
        cache.get(f"sku-{number}", lambda: 1)
    return Answer(cache.size() <= 100)


def counts(library: CacheLibrary) -> Answer:
    """Count a miss and two hits."""
    cache = library.cache()
    for _ in range(3):
        cache.get(KEY, lambda: 1)
    return Answer(cache.counts() == (2, 1))


def many(library: CacheLibrary) -> Answer:
    """Ask for three values, one of which is there."""
    cache, asked = library.cache(), list[object]()
    cache.many(["a"], lambda *keys: [1 for _ in keys])

    def make(*keys: str) -> list[object]:
        asked.append(keys)
        return [2 for _ in keys]

    return Answer(cache.many(["a", "b", "c"], make) == [1, 2, 2] and len(asked) == 1)


def frequency(library: CacheLibrary) -> Answer:
    """Forget what is asked for least often, although it was asked for last."""
    cache = library.least_frequent()
    for _ in range(5):
        cache.get("often", lambda: 1)
    cache.get("seldom", lambda: 1)
    cache.get("new", lambda: 1)
    return Answer(cache.get("often", lambda: 2) == 1)


CLAIMS: tuple[tuple[str, Callable[[CacheLibrary], Answer]], ...] = (
    ("Eight threads on a cold key call the factory once", cold),
    ("Eight tasks on a cold key call the factory once", cold_tasks),
    ("While one renews a value, others get the old one at once", renewed),
    ("When the factory fails, the old value is served", stale),
    ("A factory that fails is left alone for a while", left_alone),
    ("Whoever asks can see where a value comes from", source),
    ("A store that is away is survived", away),
    ("A stored value that nobody can read is made anew", garbled),
    ("An error can be answered again from memory", negative),
    ("Values are forgotten by tag", tags),
    ("Values are forgotten by pattern", pattern),
    ("It keeps to a number of entries", bound),
    ("It counts hits and misses", counts),
    ("Several keys are made and read in one go", many),
    ("One chooses what is forgotten first (least often used)", frequency),
)
