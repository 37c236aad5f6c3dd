"""What code written for pybreaker relies on: every test runs with pybreaker's breaker and with ours."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Barrier, Thread
from typing import Any, TypeAlias, cast

import pybreaker
import pytest

from holdfast.resilience import breaker as ours
from tests.core.breakers import (
    DownError,
    Heard,
    age,
    fail,
    is_refused,
    outcome,
    succeed,
    trip,
)

Kind: TypeAlias = Any
"""One of the two classes; pybreaker's annotations refuse what it takes, and say nothing of decorators."""


@pytest.fixture(params=[pybreaker.CircuitBreaker, ours.CircuitBreaker], ids=["pybreaker", "ours"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Make breakers of pybreaker's, then of ours."""
    return request.param


def test_parameters_keep_their_order_and_defaults(kind: Kind) -> None:
    """Positional arguments mean what they meant."""
    storage = pybreaker.CircuitMemoryStorage("closed")
    heard = Heard()

    made = kind(3, 30, 2, [KeyError], [heard], storage, "stock", False)
    plain = kind()

    assert (made.fail_max, made.reset_timeout, made.success_threshold) == (3, 30, 2)
    assert made.excluded_exceptions == (KeyError,)
    assert made.listeners == (heard,)
    assert made._state_storage is storage
    assert made.name == "stock"
    assert made.open() is False
    assert (plain.fail_max, plain.reset_timeout, plain.success_threshold) == (5, 60, 1)
    assert (plain.excluded_exceptions, plain.listeners, plain.name) == ((), (), None)
    assert plain.open() is True
    assert plain._state_storage.name == "memory"


def test_failures_in_a_row_are_counted_and_a_success_begins_anew(kind: Kind) -> None:
    """The counter is that of consecutive failures."""
    breaker = kind(fail_max=3)

    outcome(breaker.call, fail)
    outcome(breaker.call, fail)
    assert breaker.fail_counter == 2
    assert breaker.call(succeed) == "fine"

    assert breaker.fail_counter == 0
    assert breaker.current_state == "closed"


def test_an_excluded_exception_counts_as_a_success(kind: Kind) -> None:
    """Classes, with their subclasses, and functions exclude; the exception comes out."""
    breaker = kind(exclude=[LookupError, _is_teapot])

    for harmless in (KeyError("881"), ValueError("teapot")):
        outcome(breaker.call, fail)
        assert breaker.fail_counter == 1
        with pytest.raises(type(harmless)):
            breaker.call(_raise, harmless)
        assert breaker.fail_counter == 0


def test_exclusions_can_be_added_and_removed(kind: Kind) -> None:
    """They hold from then on."""
    breaker = kind()
    breaker.add_excluded_exception(DownError)
    outcome(breaker.call, fail)
    assert breaker.fail_counter == 0

    breaker.remove_excluded_exception(DownError)
    breaker.add_excluded_exceptions(KeyError, ValueError)
    outcome(breaker.call, fail)

    assert breaker.excluded_exceptions == (KeyError, ValueError)
    assert breaker.fail_counter == 1
    assert not breaker.is_system_error(ValueError())
    assert breaker.is_system_error(DownError())


def test_the_call_that_opens_raises_the_circuit_error_with_the_cause_to_see(kind: Kind) -> None:
    """The error takes the place of the call's own, whose traceback is shown with it."""
    breaker = kind(fail_max=1)

    with pytest.raises(pybreaker.CircuitBreakerError, match="Failures threshold reached") as caught:
        breaker.call(fail)

    shown = "".join(traceback.format_exception(caught.value))
    assert isinstance(caught.value.__context__, DownError)
    assert "no route to 10.0.0.7" in shown
    assert any(frame.name == "fail" for frame in traceback.extract_tb(caught.value.__traceback__))


def test_the_call_that_opens_raises_its_own_error_when_asked(kind: Kind) -> None:
    """`throw_new_error_on_trip=False`; later calls are refused all the same."""
    breaker = kind(fail_max=1, throw_new_error_on_trip=False)

    with pytest.raises(DownError):
        breaker.call(fail)

    assert breaker.current_state == "open"
    with pytest.raises(pybreaker.CircuitBreakerError, match="Timeout not elapsed yet"):
        breaker.call(succeed)


def test_a_probe_that_fails_goes_on_counting(kind: Kind) -> None:
    """Three failures opened it; the probe's is the fourth."""
    breaker = kind(fail_max=3)
    trip(breaker)
    assert breaker.fail_counter == 3
    age(breaker, 61)

    with pytest.raises(pybreaker.CircuitBreakerError, match="Trial call failed"):
        breaker.call(fail)

    assert breaker.fail_counter == 4
    assert breaker.current_state == "open"
    assert is_refused(breaker)


def test_so_many_probes_have_to_succeed_as_were_asked_for(kind: Kind) -> None:
    """They are counted while half-open, and forgotten when it closes."""
    breaker = kind(fail_max=1, success_threshold=2)
    trip(breaker)
    age(breaker, 61)

    breaker.call(succeed)
    assert (breaker.current_state, breaker.success_counter) == ("half-open", 1)
    breaker.call(succeed)

    assert (breaker.current_state, breaker.success_counter) == ("closed", 0)
    assert breaker.fail_counter == 0


def test_a_failed_probe_forgets_the_probes_that_succeeded(kind: Kind) -> None:
    """The next round begins anew."""
    breaker = kind(fail_max=1, success_threshold=2)
    trip(breaker)
    age(breaker, 61)
    breaker.call(succeed)

    outcome(breaker.call, fail)

    assert (breaker.current_state, breaker.success_counter) == ("open", 0)


def test_the_state_is_set_by_hand(kind: Kind) -> None:
    """`open`, `half_open` and `close` do it, whatever it was; `state` is one of pybreaker's objects."""
    breaker = kind()

    breaker.open()
    assert isinstance(breaker.state, pybreaker.CircuitOpenState)
    assert is_refused(breaker)
    breaker.half_open()
    assert isinstance(breaker.state, pybreaker.CircuitHalfOpenState)
    breaker.close()

    assert isinstance(breaker.state, pybreaker.CircuitClosedState)
    assert breaker.state.name == breaker.current_state == "closed"


def test_opening_an_open_circuit_begins_its_time_anew_and_is_told(kind: Kind) -> None:
    """An operator may open it once more."""
    heard = Heard()
    breaker = kind(listeners=[heard])
    breaker.open()
    age(breaker, 61)

    breaker.open()

    assert is_refused(breaker)
    assert heard.told == ["closed -> open", "open -> open"]


def test_listeners_are_told_in_order(kind: Kind) -> None:
    """Of a trip: the call, its failure, the change; of a recovery: the probe between two changes."""
    heard = Heard()
    breaker = kind(fail_max=1, listeners=[heard])

    outcome(breaker.call, fail)
    assert heard.told == ["before_call", "failure", "closed -> open"]
    assert is_refused(breaker)
    assert heard.told[3:] == []
    age(breaker, 61)
    breaker.call(succeed)

    assert heard.told[3:] == ["open -> half-open", "before_call", "half-open -> closed", "success"]


def test_listeners_are_told_what_is_called(kind: Kind) -> None:
    """The function and its arguments, and what it raised; they may come and go."""
    told: list[object] = []

    class Curious(pybreaker.CircuitBreakerListener):
        """Keeps arguments."""

        def before_call(self, cb: Any, func: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # pybreaker's
            """Keep them."""
            told.append((cb, func, args, kwargs))

        def failure(self, cb: Any, exc: BaseException) -> None:  # noqa: ANN401  # pybreaker's
            """Keep it."""
            told.append((cb, type(exc)))

    curious = Curious()
    breaker = kind()
    breaker.add_listeners(curious)
    breaker.call(divmod, 7, 2)
    outcome(breaker.call, fail)
    breaker.remove_listener(curious)
    breaker.call(divmod, 7, 2)

    assert told == [
        (breaker, divmod, (7, 2), {}),
        (breaker, fail, (), {}),
        (breaker, DownError),
    ]


def test_making_a_breaker_changes_nothing_in_its_storage_and_tells_nobody(kind: Kind) -> None:
    """A second process joins a circuit as it is."""
    storage = pybreaker.CircuitMemoryStorage("open")
    storage.increment_counter()
    heard = Heard()

    breaker = kind(state_storage=storage, listeners=[heard])

    assert breaker.state.name == "open"
    assert breaker.fail_counter == 1
    assert heard.told == []


def test_a_change_made_elsewhere_is_noticed_and_told(kind: Kind) -> None:
    """Two breakers share a storage: what one decides, the other does at its next call."""
    storage = pybreaker.CircuitMemoryStorage("closed")
    heard = Heard()
    first = kind(state_storage=storage)
    second = kind(state_storage=storage, listeners=[heard])

    first.open()

    assert second.current_state == "open"
    assert is_refused(second)
    assert second.state.name == "open"
    assert heard.told == ["closed -> open"]


def test_failures_of_all_breakers_of_a_storage_add_up(kind: Kind) -> None:
    """The counter is the storage's."""
    storage = pybreaker.CircuitMemoryStorage("closed")
    first, second = (kind(fail_max=2, state_storage=storage) for _ in range(2))

    outcome(first.call, fail)
    outcome(second.call, fail)

    assert first.current_state == second.current_state == "open"


def test_threads_at_once_make_one_half_open_transition(kind: Kind) -> None:
    """Whoever comes first probes."""
    heard = Heard()
    breaker = kind(fail_max=1, listeners=[heard])
    trip(breaker)
    age(breaker, 61)
    ready = Barrier(8)

    def probe() -> None:
        ready.wait()
        outcome(breaker.call, fail)

    _in_threads(8, probe)

    assert heard.told.count("open -> half-open") == 1
    assert breaker.current_state == "open"


def test_no_more_failures_are_counted_than_open_it(kind: Kind) -> None:
    """However many threads fail at once."""
    breaker = kind(fail_max=50)
    ready = Barrier(4)

    def keep_failing() -> None:
        ready.wait()
        for _ in range(50):
            outcome(breaker.call, fail)

    _in_threads(4, keep_failing)

    assert breaker.fail_counter == 50


def test_a_decorated_function_keeps_its_name_and_its_place(kind: Kind) -> None:
    """Functions, methods and static methods; with or without parentheses."""
    breaker = kind()

    class Stock:
        """A class."""

        @breaker  # type: ignore[untyped-decorator]  # pybreaker's
        def count_of(self, sku: str, *, factor: int = 1) -> int:
            """Count."""
            return len(sku) * factor

        @staticmethod
        @breaker()  # type: ignore[untyped-decorator]  # pybreaker's
        def name() -> str:
            return "stock"

    assert Stock().count_of("881", factor=2) == 6
    assert Stock.name() == "stock"
    assert Stock.count_of.__name__ == "count_of"
    assert Stock.count_of.__doc__ == "Count."


def test_a_generator_function_is_guarded_until_its_end(kind: Kind) -> None:
    """What it raises on the way is a failure; its end is a success; values are sent in."""
    breaker = kind()

    @breaker  # type: ignore[untyped-decorator]  # pybreaker's
    def numbers(limit: int) -> Iterator[object]:
        sent: object = None
        for number in range(limit):
            sent = cast("object", (yield (number, sent)))
        if limit == 2:
            raise DownError("lost")

    with pytest.raises(DownError):
        list(numbers(2))
    assert breaker.fail_counter == 1
    values: Any = numbers(3)
    assert next(values) == (0, None)
    assert breaker.fail_counter == 1
    assert values.send("x") == (1, "x")
    assert list(values) == [(2, None)]
    assert breaker.fail_counter == 0


def test_a_context_manager_may_be_guarded(kind: Kind) -> None:
    """`@contextmanager @breaker`: an error of the block goes in, and may come out as another."""
    breaker = kind()

    @contextmanager
    @breaker  # type: ignore[untyped-decorator]  # pybreaker's
    def connection() -> Iterator[str]:
        try:
            yield "connection"
        except DownError as error:
            raise ConnectionError from error

    with connection() as found:
        assert found == "connection"
    with pytest.raises(ConnectionError), connection():
        fail()

    assert breaker.fail_counter == 1


def test_a_block_is_guarded(kind: Kind) -> None:
    """`with breaker.calling()`."""
    breaker = kind(fail_max=2)

    with pytest.raises(DownError), breaker.calling():
        fail()
    with pytest.raises(pybreaker.CircuitBreakerError), breaker.calling():
        fail()

    with pytest.raises(pybreaker.CircuitBreakerError), breaker.calling():
        pytest.fail("an open circuit let a block run")


def test_an_unknown_state_is_refused(kind: Kind) -> None:
    """There are three."""
    with pytest.raises(ValueError, match="Unknown state 'ajar'"):
        kind()._create_new_state("ajar")


def test_limits_may_be_set_at_any_time(kind: Kind) -> None:
    """They hold from the next call on."""
    breaker = kind(fail_max=5, name="stock")
    outcome(breaker.call, fail)

    breaker.fail_max, breaker.success_threshold, breaker.name = 2, 2, "orders"
    outcome(breaker.call, fail)
    assert breaker.current_state == "open"
    age(breaker, 31)
    assert is_refused(breaker)
    breaker.reset_timeout = 30
    breaker.call(succeed)

    assert (breaker.current_state, breaker.name) == ("half-open", "orders")


def test_a_subclass_says_which_errors_count(kind: Kind) -> None:
    """`is_system_error` is asked about every error."""

    class OwnBreaker(kind):  # type: ignore[misc]  # either of two classes
        """Counts one class."""

        def is_system_error(self, exception: Exception) -> bool:
            """Tell of one class."""
            return isinstance(exception, DownError)

    breaker = OwnBreaker()

    outcome(breaker.call, fail)
    assert breaker.fail_counter == 1
    outcome(breaker.call, _raise, KeyError())

    assert breaker.fail_counter == 0


def test_a_subclass_counts_in_its_own_way(kind: Kind) -> None:
    """`_inc_counter` is called for every failure."""

    class Heavy(kind):  # type: ignore[misc]  # either of two classes
        """Counts twice."""

        def _inc_counter(self) -> None:
            for _ in range(2):
                kind._inc_counter(self)

    breaker = Heavy(fail_max=4)

    outcome(breaker.call, fail)
    assert (breaker.fail_counter, breaker.current_state) == (2, "closed")
    outcome(breaker.call, fail)

    assert (breaker.fail_counter, breaker.current_state) == (4, "open")


def test_a_subclass_brings_states_of_its_own(kind: Kind) -> None:
    """`_create_new_state` may return them; their hooks are asked, and decide."""
    seen: list[str] = []

    class Lenient(pybreaker.CircuitClosedState):
        """Never opens."""

        def before_call(self, func: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # pybreaker's
            """Keep it."""
            seen.append("before_call")

        def on_failure(self, exc: BaseException) -> None:
            """Keep it, and stay closed."""
            seen.append("on_failure")

        def on_success(self) -> None:
            """Keep it."""
            seen.append("on_success")

    class OwnBreaker(kind):  # type: ignore[misc]  # either of two classes
        """Has a lenient state."""

        def _create_new_state(self, new_state: str, *further: Any, **more: Any) -> Any:  # noqa: ANN401  # pybreaker's
            if new_state == "closed":
                return Lenient(self, *further, **more)
            return kind._create_new_state(self, new_state, *further, **more)

    breaker = OwnBreaker(fail_max=1)

    with pytest.raises(DownError):
        breaker.call(fail)
    breaker.call(succeed)

    assert breaker.current_state == "closed"
    assert seen == ["before_call", "on_failure", "before_call", "on_success"]


def test_the_storage_may_be_looked_at_and_set(kind: Kind) -> None:
    """Tests do that: the state that is set there is the breaker's."""
    breaker = kind()
    storage: Any = breaker._state_storage

    outcome(breaker.call, fail)
    assert storage.counter == storage._fail_counter == 1
    breaker._inc_counter()
    assert breaker.fail_counter == 2
    storage.state = "open"

    assert breaker.current_state == breaker.state.name == "open"
    storage.state = "closed"
    assert breaker.call(succeed) == "fine"


def test_the_module_has_the_names_of_pybreaker() -> None:
    """`import holdfast.resilience.breaker as pybreaker` is enough."""
    for name in pybreaker.__all__:
        assert hasattr(ours, name), name
    assert issubclass(ours.CircuitRedisStorage, pybreaker.CircuitRedisStorage)
    assert ours.CircuitBreakerError is pybreaker.CircuitBreakerError


def _is_teapot(error: BaseException) -> bool:
    return "teapot" in str(error)


def _raise(error: Exception) -> None:
    raise error


def _in_threads(number: int, target: Any) -> None:  # noqa: ANN401  # a function without arguments
    threads = [Thread(target=target) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
