"""One contract for every storage and every way to use a breaker."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pybreaker
import pytest

from holdfast.resilience.breaker import CircuitBreaker, CircuitOpenError, CircuitRedisStorage
from tests.core.breakers import (
    USES,
    DownError,
    FailingStorage,
    Heard,
    OldStorage,
    SlowStorage,
    Use,
    age,
    fail,
    outcome,
    succeed,
)


@pytest.fixture(params=list(USES))
def use(request: pytest.FixtureRequest) -> Use:
    """Use breakers in every way."""
    return USES[request.param]


@pytest.fixture(
    params=[
        "default",
        "memory",
        "old",
        "slow",
        "failing",
        pytest.param("redis", marks=[pytest.mark.service("redis"), pytest.mark.extra("redis")]),
    ]
)
def storage(request: pytest.FixtureRequest) -> Iterator[pybreaker.CircuitBreakerStorage | None]:
    """Keep circuits in every kind of storage; the failing one is away from the second failure on."""
    if request.param == "redis":
        client: Any = pytest.importorskip("redis").Redis()
        prefix = f"holdfast-drop-in-{os.getpid()}-{id(request)}"
        yield CircuitRedisStorage("closed", client, namespace=prefix)
        for key in client.scan_iter(f"{prefix}:*"):
            client.delete(key)
        client.close()
    else:
        kinds: dict[str, Callable[[], pybreaker.CircuitBreakerStorage | None]] = {
            "default": lambda: None,
            "memory": lambda: pybreaker.CircuitMemoryStorage("closed"),
            "old": OldStorage,
            "slow": SlowStorage,
            "failing": FailingStorage,
        }
        yield kinds[request.param]()


def test_a_circuit_opens_recovers_and_closes(
    storage: pybreaker.CircuitBreakerStorage | None, use: Use
) -> None:
    """Failures open it, calls are refused, a probe that succeeds closes it."""
    heard = Heard()
    breaker = CircuitBreaker(
        fail_max=2, state_storage=storage, listeners=[heard], throw_new_error_on_trip=False
    )

    assert use(breaker, succeed) == "fine"
    with pytest.raises(DownError):
        use(breaker, fail)
    assert breaker.fail_counter == 1
    assert use(breaker, succeed) == "fine"
    assert breaker.fail_counter == 0
    for _ in range(2):
        with pytest.raises(DownError):
            use(breaker, fail)
    assert (breaker.current_state, breaker.fail_counter) == ("open", 2)
    with pytest.raises(CircuitOpenError):
        use(breaker, succeed)
    if isinstance(storage, pybreaker.CircuitRedisStorage):
        breaker.reset_timeout = 0  # its time of opening never goes back
    else:
        age(breaker, 61)
    assert use(breaker, succeed) == "fine"

    assert (breaker.current_state, breaker.fail_counter) == ("closed", 0)
    changes = [told for told in heard.told if "->" in told]
    assert changes == ["closed -> open", "open -> half-open", "half-open -> closed"]


def test_the_call_that_opens_says_so(
    storage: pybreaker.CircuitBreakerStorage | None, use: Use, request: pytest.FixtureRequest
) -> None:
    """It raises the circuit's error from its own; a permit leaves the raising to its holder."""
    breaker = CircuitBreaker(fail_max=1, state_storage=storage)

    raised = outcome(use, breaker, fail)

    is_permit = use is USES["permit"]
    assert raised is (DownError if is_permit else CircuitOpenError)
    assert breaker.current_state == "open"


def test_a_storage_that_is_away_changes_nothing_for_callers(use: Use) -> None:
    """This process counts by itself, opens, and stays open; when it is back, it is told."""
    storage = FailingStorage()
    breaker = CircuitBreaker(fail_max=2, state_storage=storage, throw_new_error_on_trip=False)
    storage.is_away = True

    assert use(breaker, succeed) == "fine"
    for _ in range(2):
        with pytest.raises(DownError):
            use(breaker, fail)
    with pytest.raises(CircuitOpenError):
        use(breaker, succeed)
    assert (breaker.current_state, breaker.fail_counter) == ("open", 2)
    storage.is_away = False
    with pytest.raises(CircuitOpenError):
        use(breaker, succeed)

    assert storage.state == "open"
