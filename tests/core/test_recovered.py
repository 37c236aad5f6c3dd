"""Recovered values at boundaries without a framework: blocks, jobs, messages."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import AppError, error_boundary, job
from holdfast.environment import activated
from holdfast.hooks.consumers import IncomingMessage, Settle, Settlement, consumer
from holdfast.hooks.jobs.state import VARIABLE
from holdfast.testing import RecordingRuntime


class OutOfStock(AppError, LookupError):
    """An error with a code, which passes a block as it is."""


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingRuntime]:
    """Give a runtime with a handler that recovers, as the current one."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    made = RecordingRuntime()
    made.on(LookupError, lambda _, __, ___: ["from the cache"])
    with activated(made):
        yield made


def fails() -> object:
    """Fail with what is recovered from."""
    raise KeyError("sku")


def names(runtime: RecordingRuntime) -> list[str]:
    """Return the names of the events."""
    return [event.name for event in runtime.recorded.events]


def test_a_block_keeps_the_value() -> None:
    """The value is kept on the yielded object, beside the error."""
    with error_boundary("import", reraise=False) as recovered:
        raise KeyError("sku")
    assert (recovered.recovered, recovered.value) == (
        False,
        None,
    )  # coded: no `LookupError` any more

    with error_boundary("import", reraise=False) as answered:
        pass

    assert (answered.recovered, answered.error) == (False, None)


def test_a_block_is_routed_by_the_code_it_gives(runtime: RecordingRuntime) -> None:
    """What leaves a block is an `AppError`; its code is what it is routed by."""
    runtime.on("INTERNAL_ERROR", lambda _, __, ___: 7)

    with error_boundary("import", reraise=False) as state:
        fails()

    assert (state.recovered, state.value) == (True, 7)
    assert [record.recovered for record in runtime.recorded.records] == [True]


def test_a_function_that_is_a_job_returns_the_value(runtime: RecordingRuntime) -> None:
    """The run has succeeded, and says so."""

    @job("nightly")
    def work() -> object:
        return fails()

    assert work() == ["from the cache"]
    assert names(runtime) == ["job.started", "error.handled", "job.succeeded"]
    assert runtime.recorded.events[-1].attributes["record_id"] == runtime.recorded.records[0].id


def test_a_coroutine_that_is_a_job_returns_the_value(runtime: RecordingRuntime) -> None:
    """As a function does."""

    @job("nightly")
    async def work() -> object:
        return fails()

    assert asyncio.run(work()) == ["from the cache"]
    assert names(runtime)[-1] == "job.succeeded"


def test_a_block_that_is_a_job_ends_well(runtime: RecordingRuntime) -> None:
    """What comes after it is reached."""
    with job("nightly") as run:
        fails()

    assert run.recovered is not None
    assert names(runtime)[-1] == "job.succeeded"


def test_a_job_nobody_recovers_fails_as_ever(runtime: RecordingRuntime) -> None:
    """Its error comes out unchanged."""
    with pytest.raises(ValueError, match="other"), job("nightly"):
        raise ValueError("other")

    assert names(runtime)[-1] == "job.failed"


def test_a_message_is_done(runtime: RecordingRuntime) -> None:
    """It is settled as if its work had ended well."""

    @consumer("orders")
    def work() -> None:
        fails()

    @consumer("orders")
    async def work_later() -> None:
        fails()

    async def main() -> Settlement:
        return await work_later(IncomingMessage(id="2"))

    settled = [work(IncomingMessage(id="1")), asyncio.run(main())]

    assert [settlement.action for settlement in settled] == [Settle.ACK, Settle.ACK]
    assert [s.record_id for s in settled] == [record.id for record in runtime.recorded.records]
