"""Kata 11 without a framework: the global handler, with functions and with coroutines."""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

import pytest

from holdfast.codes import Severity
from holdfast.context import bind, work_context
from holdfast.handler import Action, Verdict
from holdfast.origin import Origin
from holdfast.settings import Settings
from holdfast.testing import RecordingRuntime
from tests.core.kata11 import CLASSIFIERS, DatabaseDown, Operations, RemoteFailure, installed

UPDATE = Origin(boundary="app", operation="USER_UPDATE", path="/api/users/123")
READ = Origin(boundary="app", operation="READ", path="/users/123")
Handle: TypeAlias = Callable[[BaseException, Origin], Verdict]


@pytest.fixture
def runtime() -> RecordingRuntime:
    """Return a runtime with the classifiers."""
    return RecordingRuntime(Settings(reporters=(), classifiers=CLASSIFIERS))


@pytest.fixture(params=[False, True], ids=["functions", "coroutines"])
def operations(runtime: RecordingRuntime, request: pytest.FixtureRequest) -> Operations:
    """Return what handler and middleware do."""
    return installed(runtime, asynchronous=request.param)


@pytest.fixture(params=["handle", "ahandle"])
def handle(
    runtime: RecordingRuntime, operations: Operations, request: pytest.FixtureRequest
) -> Handle:
    """Return what captures an error in the use of the application."""

    def sync(error: BaseException, origin: Origin) -> Verdict:
        try:
            raise error
        except Exception as caught:  # noqa: BLE001  # a boundary
            return runtime.handle(caught, origin)

    async def on_loop(error: BaseException, origin: Origin) -> Verdict:
        try:
            raise error
        except Exception as caught:  # noqa: BLE001  # a boundary
            return await runtime.ahandle(caught, origin)

    def called(error: BaseException, origin: Origin) -> Verdict:
        with work_context("work-1"), bind(user="user-123"):
            if request.param == "handle":
                return sync(error, origin)
            return asyncio.run(on_loop(error, origin))

    return called


def test_a_failed_update_is_classified_routed_and_answered(
    runtime: RecordingRuntime, operations: Operations, handle: Handle
) -> None:
    """The handler reconnects and notifies; an update has no fallback, so the caller gets the error."""
    verdict = handle(DatabaseDown(), UPDATE)

    assert verdict.record is not None
    assert verdict.answer is not None
    said = verdict.record.classification
    assert (said.code, said.severity, said.transient) == ("DATABASE_ERROR", Severity.ERROR, True)
    assert operations.done == ["reconnected", "notified of DatabaseDown by user-123 in work-1"]
    assert (verdict.action, verdict.answer.status) == (Action.RESPOND, said.status)
    assert runtime.recorded.records == [verdict.record]
    assert "hunter2" not in verdict.record.message


def test_a_failed_read_falls_back_to_the_cache(
    runtime: RecordingRuntime, operations: Operations, handle: Handle
) -> None:
    """The work goes on with what the cache holds, and the record says so."""
    verdict = handle(DatabaseDown(), READ)

    assert (verdict.action, verdict.value) == (Action.RECOVERED, {"id": 123, "stale": True})
    assert operations.done[-1] == "cached"
    assert [record.recovered for record in runtime.recorded.records] == [True]


@pytest.mark.parametrize(
    ("status", "severity"), [(503, Severity.ERROR), (404, Severity.WARNING)], ids=["high", "medium"]
)
def test_errors_below_the_api_are_classified_by_their_status(
    runtime: RecordingRuntime,
    operations: Operations,
    handle: Handle,
    status: int,
    severity: Severity,
) -> None:
    """The second classifier says what it is, and its category routes."""
    routed: list[str] = []

    def network(error: BaseException, *_: object) -> None:
        routed.append(type(error).__name__)

    runtime.on("NETWORK", network)

    record = handle(RemoteFailure(status), UPDATE).record

    assert record is not None
    said = record.classification
    assert (said.code, said.category, said.severity) == ("API_ERROR", "NETWORK", severity)
    assert (routed, operations.done) == (["RemoteFailure"], [])


def test_every_error_is_logged_by_the_middleware(operations: Operations, handle: Handle) -> None:
    """With its message, its place and its circumstances, before it is classified."""
    handle(DatabaseDown(), UPDATE)
    handle(ValueError("other"), READ)

    ((message, function, path, user), other) = operations.logged
    assert message.startswith("connection lost")
    assert function in {"sync", "on_loop"}
    assert (path, user) == ("/api/users/123", "user-123")
    assert other[0] == "other"


def test_the_metrics_count_what_was_handled(runtime: RecordingRuntime, handle: Handle) -> None:
    """Events are what statistics and alerts consume: one for each error, with its code."""
    for error in (DatabaseDown(), RemoteFailure(500), DatabaseDown()):
        handle(error, UPDATE)

    codes = [event.attributes["code"] for event in runtime.recorded.events]
    assert codes == ["DATABASE_ERROR", "API_ERROR", "DATABASE_ERROR"]
