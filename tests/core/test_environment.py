"""Which runtime is the current one, and what happens before any is installed."""

import asyncio
import contextvars
import threading
from collections.abc import Iterator

import pytest

from holdfast import environment, health_check
from holdfast.environment import Environment, activated, add_resolver, current, found
from holdfast.origin import Origin
from holdfast.runtime import Runtime, current_runtime
from holdfast.settings import Settings
from holdfast.testing import RecordingReporter, RecordingRuntime


class Keeper(RecordingReporter):
    """Keeps what it is told, and whether it was closed."""

    closed = False

    def close(self) -> None:
        """Finish."""
        self.closed = True


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin and end each test with neither default, nor stand-in, nor resolvers."""
    for name in ("_default", "_stand_in", "_resolvers"):
        monkeypatch.setattr(environment, name, [])
    yield
    for made in (*environment._default, *environment._stand_in):
        assert isinstance(made, Runtime)
        made.close()


def test_the_activated_runtime_goes_before_all_others() -> None:
    """A block's runtime, then the application's, then the process's default is the current one."""
    process, application, block = (RecordingRuntime() for _ in range(3))
    environment.set_default(process)

    assert current() is process
    add_resolver(lambda: application)
    assert current() is application
    with activated(block):
        assert current() is block
        assert current_runtime() is block
        assert found() is block
    assert current() is application


def test_a_resolver_that_does_not_know_leaves_it_to_the_next() -> None:
    """Resolvers are asked in the order they were added; outside of any request nobody knows."""
    process, application = RecordingRuntime(), RecordingRuntime()
    known: list[Environment | None] = [None]
    environment.set_default(process)
    add_resolver(lambda: None)
    add_resolver(lambda: known[0])

    assert current() is process
    known[0] = application
    assert current() is application


def test_a_resolver_is_added_once() -> None:
    """Adding the same resolver again, as each application would, changes nothing."""
    asked: list[int] = []

    def resolve() -> None:
        asked.append(1)

    add_resolver(resolve)
    add_resolver(resolve)

    assert found() is None
    assert asked == [1]


def test_activated_runtimes_nest() -> None:
    """An inner block's runtime gives way to the outer one's, also after an error."""
    outer, inner = RecordingRuntime(), RecordingRuntime()

    with activated(outer):
        with pytest.raises(KeyError), activated(inner):
            raise KeyError
        assert current() is outer
    assert found() is None


def test_an_activated_runtime_is_the_threads_own() -> None:
    """Another thread does not see what was activated here."""
    seen: list[Environment | None] = []

    with activated(RecordingRuntime()):
        thread = threading.Thread(
            target=lambda: contextvars.Context().run(lambda: seen.append(found()))
        )
        thread.start()
        thread.join()

    assert seen == [None]


async def test_an_activated_runtime_is_the_tasks_own() -> None:
    """Two tasks that interleave each find their own runtime."""
    turn = asyncio.Event()

    async def task(runtime: Environment, *, first: bool) -> bool:
        with activated(runtime):
            if first:
                await asyncio.wait_for(turn.wait(), 5)
            turn.set()
            return current() is runtime

    both = [task(RecordingRuntime(), first=first) for first in (True, False)]

    assert await asyncio.gather(*both) == [True, True]


def test_looking_makes_nothing() -> None:
    """Asking whether there is a runtime leaves it at that."""
    assert found() is None
    assert environment.default() is None


def test_whoever_needs_a_runtime_gets_one() -> None:
    """Before anything is installed there is one stand-in, which is not the process's default."""
    first = current_runtime()

    assert current() is first
    assert environment.default() is None


def test_a_stand_in_gives_way_and_its_checks_are_kept() -> None:
    """A runtime is installed although one was made in passing, and has the checks of that one."""
    health_check.register_check("early", lambda: True)
    health_check.register_check("both", lambda: True)
    runtime = RecordingRuntime()
    runtime.health.register_check("both", lambda: False)

    runtime.install()
    try:
        results = health_check.run_all_checks()

        assert current() is runtime
        assert {name: result.status.value for name, result in results.items()} == {
            "early": "pass",
            "both": "fail",
        }
    finally:
        runtime.uninstall()


def test_the_first_application_takes_over_what_was_registered_early() -> None:
    """Checks registered outside any application move to the first that is made, and not beyond."""
    health_check.register_check("early", lambda: True)
    stood_in = current_runtime()
    first, second = RecordingRuntime(), RecordingRuntime()
    first.health.register_check("own", lambda: True)

    environment.take_over(first)
    environment.take_over(second)

    assert [check.name for check in first.health.checks] == ["early", "own"]
    assert second.health.checks == ()
    assert environment.default() is None
    assert found() is None
    assert current_runtime() is not stood_in


def test_what_waits_of_early_errors_is_delivered_when_an_application_takes_over() -> None:
    """The stand-in delivers what it was told of, and is closed."""
    told = Keeper()
    stood_in = Runtime(Settings(reporters=()), reporters=[told])
    environment._stand_in.append(stood_in)
    current_runtime().handle(KeyError("sku"), Origin(boundary="job"))

    environment.take_over(RecordingRuntime())

    assert [record.type for record in told.records] == ["KeyError"]
    assert told.closed


def test_a_runtime_that_is_installed_leaves_nothing_to_take_over() -> None:
    """Early checks are the installed runtime's; an application made later gets none."""
    health_check.register_check("early", lambda: True)
    installed, application = RecordingRuntime(), RecordingRuntime()

    environment.set_default(installed)
    environment.take_over(application)

    assert [check.name for check in installed.health.checks] == ["early"]
    assert application.health.checks == ()


def test_taking_the_default_away_leaves_none() -> None:
    """Without its default the process has no runtime."""
    environment.set_default(RecordingRuntime())

    environment.set_default(None)

    assert found() is None
