"""Deadlines, attempts and keys in headers: strictly read, and written so that they can be read."""

import math
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import environment, work_context
from holdfast.errors import ServiceUnavailableError
from holdfast.resilience.backoff import Constant
from holdfast.resilience.deadline import deadline, remaining
from holdfast.resilience.headers import (
    TIMEOUT_HEADER,
    Inbound,
    asked_seconds,
    grpc_seconds,
    millisecond_seconds,
    outbound_headers,
)
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import Retry
from holdfast.resilience.scope import current_idempotency_key, idempotency_key
from holdfast.testing import FakeClock, RecordingRuntime
from tests.core.ways import Way

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = (
    "HTTP_X_REQUEST_TIMEOUT_MS",
    "HTTP_GRPC_TIMEOUT",
    "HTTP_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS",
)


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{1,14}[HMSmun]?", fullmatch=True))
def test_whatever_comes_is_a_bounded_number_or_nothing(text: str) -> None:
    """No header raises, is negative, or means for ever."""
    for parse in (grpc_seconds, millisecond_seconds):
        seconds = parse(text)
        assert seconds is None or 0.0 <= seconds <= 4e11


@given(st.integers(0, 10**8 - 1), st.sampled_from("HMSmun"))
def test_every_time_out_of_grpc_is_read(number: int, unit: str) -> None:
    """One to eight digits and a unit, as its specification has it."""
    worth = {"H": 3600, "M": 60, "S": 1, "m": 1e-3, "u": 1e-6, "n": 1e-9}[unit]

    assert grpc_seconds(f"{number}{unit}") == pytest.approx(number * worth)


@pytest.mark.parametrize(
    "text",
    ["", "S", "1", "1s", "123456789S", "-1S", "+1S", "1.5S", " 1S", "1S\n", "1S,1S", "٣S", "1 S"],
)
def test_what_is_no_time_out_of_grpc_is_nothing(text: str) -> None:
    """Least of all one without a limit."""
    assert grpc_seconds(text) is None


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.5", " 1", "1\n", "1e3", "0x1", "1_000", "٣", "1" * 13]
)
def test_what_is_no_number_of_milliseconds_is_nothing(text: str) -> None:
    """Python's own `int` would take half of these."""
    assert millisecond_seconds(text) is None


@given(
    st.dictionaries(
        st.sampled_from(NAMES), st.text(max_size=9) | st.integers(0, 10**9).map(str) | st.integers()
    )
)
def test_the_strictest_header_holds(environ: dict[str, object]) -> None:
    """Whichever of them can be read."""
    parsers: dict[str, Callable[[str], float | None]] = dict(
        zip(NAMES, (millisecond_seconds, grpc_seconds, millisecond_seconds), strict=True)
    )
    read = [
        seconds
        for name, text in environ.items()
        if isinstance(text, str)
        for seconds in [parsers[name](text)]
        if seconds is not None
    ]

    assert asked_seconds(environ) == min(read, default=None)


@given(
    asked=st.none() | st.integers(0, 10**7),
    default=st.none() | st.floats(0.001, 100.0),
    longest=st.floats(0.001, 100.0),
    trusted=st.booleans(),
)
def test_a_request_has_the_deadline_that_its_settings_allow(
    asked: int | None, default: float | None, longest: float, *, trusted: bool
) -> None:
    """Nothing left is refused and never no deadline."""
    runtime = RecordingRuntime()
    inbound = Inbound(runtime.clock, trusted=trusted, default=default, longest=longest)
    environ: dict[str, object] = {} if asked is None else {NAMES[0]: str(asked)}
    heeded = asked if trusted else None
    expected = default if heeded is None else min(heeded / 1000, longest)

    with environment.activated(runtime):
        token = inbound.begin(environ)
        left, refusal = remaining(), inbound.refusal()
        if token is not None:
            inbound.end(token)
        assert remaining() == math.inf

    assert left == pytest.approx(math.inf if expected is None else expected)
    assert (refusal is not None) == (expected == 0)


@given(st.floats(0.0, 1e15))
def test_what_goes_out_comes_in_as_the_same_and_never_as_more(seconds: float) -> None:
    """The other side has no more time than is left here; with nothing left it has none."""
    runtime = RecordingRuntime()
    with environment.activated(runtime), deadline(seconds + 1.0):
        cast("FakeClock", runtime.clock).advance(1.0)
        left = remaining()
        sent = millisecond_seconds(outbound_headers()[TIMEOUT_HEADER])

    assert sent is not None
    assert sent <= left
    assert left - sent < 0.001001 or left > 9e8


def test_without_anything_around_there_is_nothing_to_say(runtime: RecordingRuntime) -> None:
    """No deadline is no header, and not a large number."""
    assert outbound_headers() == {}


def test_an_attempt_carries_all_that_it_runs_within(way: Way, runtime: RecordingRuntime) -> None:
    """The trace, the time, the number of the attempt, and the key."""
    sent: list[dict[str, str]] = []

    def ask() -> None:
        sent.append(outbound_headers())
        if len(sent) < 2:
            raise ServiceUnavailableError("down")

    with work_context("order-42"), deadline(2.0), idempotency_key("charge-7"):
        way.call(Policy("pay", Retry(3, backoff=Constant(0.5))), ask)

    shared = {"x-request-id": "order-42", "idempotency-key": "charge-7"}
    assert sent == [
        {**shared, "x-request-timeout-ms": "2000", "x-request-attempt": "1/3"},
        {**shared, "x-request-timeout-ms": "1500", "x-request-attempt": "2/3"},
    ]


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "é", "x" * 256])
def test_a_key_that_no_header_could_carry_is_refused(key: str) -> None:
    """Before anything is sent; the key itself is nobody's else."""
    refused = pytest.raises(ValueError, match=r"idempotency_key\(\) takes")
    with refused as told, idempotency_key(key):
        pytest.fail("the block ran")

    assert not key or key not in str(told.value)


def test_keys_nest() -> None:
    """The innermost holds."""
    with idempotency_key("a"):
        with idempotency_key("b"):
            assert current_idempotency_key() == "b"
        assert current_idempotency_key() == "a"
    assert current_idempotency_key() == ""
