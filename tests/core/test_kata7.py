"""The seventh exercise: a cache that answers although its source fails now and then."""

import random
from typing import cast

from holdfast import Cache, ServiceUnavailableError
from holdfast.testing import FakeClock, RecordingRuntime


class Source:
    """Fails three times in ten."""

    def __init__(self) -> None:
        self._chance = random.Random(7)  # noqa: S311  # chance, and no secret
        self.calls = 0
        self.failures = 0

    def data_of(self, number: int) -> str:
        """Return the data of a user, or fail."""
        self.calls += 1
        if self._chance.random() < 0.3:
            self.failures += 1
            raise ServiceUnavailableError("Service indisponible")
        return f"données-{number}"


def test_the_case_of_the_document(runtime: RecordingRuntime) -> None:
    """A miss asks the source, a second look does not, and after its time the source is asked anew."""
    clock = cast("FakeClock", runtime.clock)
    cache, calls = Cache("users", ttl=1.0), list[int]()

    def make() -> str:
        calls.append(123)
        return "données-123"

    first = cache.get("user:123", make)
    second = cache.get("user:123", make)
    clock.advance(1.1)
    third = cache.get("user:123", make)

    assert {first, second, third} == {"données-123"}
    assert len(calls) == 2


def test_once_it_has_answered_a_source_may_fail(runtime: RecordingRuntime) -> None:
    """200 looks at a user, far apart: none of them sees a failure after the first value."""
    clock = cast("FakeClock", runtime.clock)
    cache, source = Cache("users", ttl=1.0, stale=3_600.0), Source()
    cache.set("user:123", "données-123")

    answers: set[str] = set()
    for _ in range(200):
        clock.advance(70.0)
        answers.add(cache.get("user:123", lambda: source.data_of(123)))

    assert answers == {"données-123"}
    assert source.failures > 20
    seen = cache.statistics()
    assert (seen.errors, seen.stale) == (source.failures, source.failures)
