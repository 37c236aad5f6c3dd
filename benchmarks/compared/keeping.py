"""A cache as the claims see it, whatever library it is of."""

from collections.abc import Awaitable, Callable, Sequence

from benchmarks.compared.answer import UnableError

TTL = 60.0


class Kept:
    """One cache; what a library cannot do raises `UnableError`."""

    def get(self, key: str, factory: Callable[[], object]) -> object:
        """Return a value, made by a factory when there is none."""
        raise NotImplementedError

    async def aget(self, key: str, factory: Callable[[], Awaitable[object]]) -> object:
        """Return a value, made by a coroutine function when there is none."""
        raise UnableError("knows no coroutines")

    def elapse(self, seconds: float) -> None:
        """Let time pass."""
        raise NotImplementedError

    def tag(self, key: str, value: object, tag: str) -> None:
        """Keep a value with a tag."""
        raise UnableError("")

    def forget_tag(self, tag: str) -> None:
        """Forget what has a tag."""
        raise UnableError("")

    def forget_pattern(self, pattern: str) -> None:
        """Forget keys that match a pattern."""
        raise UnableError("")

    def source(self, key: str, factory: Callable[[], object]) -> str:
        """Return where a value came from: `fresh`, `computed` or `stale`."""
        raise UnableError("")

    def counts(self) -> tuple[int, int]:
        """Return hits and misses."""
        raise UnableError("")

    def many(self, keys: Sequence[str], factory: Callable[..., Sequence[object]]) -> list[object]:
        """Return several values, those that are missing made in one go."""
        raise UnableError("")

    def size(self) -> int:
        """Return how many entries there are."""
        raise NotImplementedError


class CacheLibrary:
    """What a library of caches cannot do, unless it says that it can."""

    def cache(self) -> Kept:
        """Make one whose values are fresh for a minute."""
        raise NotImplementedError

    def bounded(self, entries: int) -> Kept:
        """Make one that keeps so many."""
        raise UnableError("")

    def least_frequent(self) -> Kept:
        """Make one of two entries that forgets what was asked for least often."""
        raise UnableError("")

    def away(self) -> Kept:
        """Make one whose store cannot be reached."""
        raise UnableError("has no store but the process")

    def garbled(self, key: str) -> Kept:
        """Make one whose store holds what cannot be read, for a key."""
        raise UnableError("keeps objects only")

    def negative(self, error: type[Exception]) -> Kept:
        """Make one that answers errors of a class again."""
        raise UnableError("")
