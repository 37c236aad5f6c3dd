"""The reporter that posts events: what arrives, what does not, and what a failure costs."""

from collections.abc import Generator
from contextlib import ExitStack
from typing import cast

import pytest

from holdfast import AppError, Origin, Runtime, SettingsError, Severity, ValidationError, configure
from holdfast.events import Event, Scalar
from holdfast.reporting.post import signature
from holdfast.settings import Settings, WebhookSettings
from tests.core.receiver import Inbox, hang, receiving, status

ORIGIN = Origin(boundary="job", operation="import")


@pytest.fixture
def stack() -> Generator[ExitStack]:
    """What is closed after the test."""
    with ExitStack() as made:
        yield made


def posting(stack: ExitStack, inbox: Inbox, **told: object) -> Runtime:
    """Return a runtime that posts to a server."""
    section = WebhookSettings(url=inbox.url, **told)  # type: ignore[arg-type]  # of many types
    runtime = Runtime(Settings(service="shop", reporters=("webhook",), webhook=section))
    stack.callback(runtime.close)
    return runtime


def test_an_error_arrives_as_json(stack: ExitStack) -> None:
    """With its facts, without secrets, and with its id for a key."""
    inbox = stack.enter_context(receiving(status(200)))
    runtime = posting(stack, inbox, headers={"X-Team": "ops"}, secret="shared")

    verdict = runtime.handle(AppError("broken, password=hunter2-canary"), ORIGIN)

    assert runtime.flush(5)
    (got,) = inbox.got
    assert verdict.record is not None
    body = got.json()
    assert (body["event"], body["severity"], body["service"]) == ("error.handled", "ERROR", "shop")
    error = body["error"]
    assert isinstance(error, dict)
    assert (error["code"], error["record_id"]) == ("INTERNAL_ERROR", verdict.record.id)
    assert got.headers["idempotency-key"] == verdict.record.id
    assert got.headers["x-team"] == "ops"
    assert "webhook-signature" in got.headers
    assert b"canary" not in got.body


def test_any_event_from_the_level_on_arrives(stack: ExitStack) -> None:
    """A caller's mistake is below it, unless the settings say otherwise."""
    inbox = stack.enter_context(receiving(status(200)))
    runtime = posting(stack, inbox)

    runtime.handle(ValidationError("no"), ORIGIN)
    runtime.emit(Event(name="job.late", severity=Severity.WARNING, time=runtime.clock.now()))

    assert runtime.flush(5)
    assert [got.json()["event"] for got in inbox.got] == ["job.late"]


def test_any_event_is_signed_with_an_id_of_its_own(stack: ExitStack) -> None:
    """As Standard Webhooks has it: a signature is over an id, a time and the body."""
    inbox = stack.enter_context(receiving(status(200)))
    runtime = posting(stack, inbox, secret="shared")

    for _ in range(2):
        runtime.emit(Event(name="job.late", severity=Severity.WARNING, time=runtime.clock.now()))

    assert runtime.flush(5)
    assert len({got.headers["webhook-id"] for got in inbox.got}) == 2
    for got in inbox.got:
        told = got.headers
        made = signature("shared", told["webhook-id"], told["webhook-timestamp"], got.body)
        assert told["webhook-signature"] == made


def test_attributes_that_json_has_no_form_for_arrive_as_text(stack: ExitStack) -> None:
    """One number that is none does not cost the event."""
    inbox = stack.enter_context(receiving(status(200)))
    runtime = posting(stack, inbox)
    attributes: dict[str, Scalar] = {"ratio": float("nan"), "note": "password=hunter2-canary"}

    runtime.emit(
        Event(
            name="job.late",
            severity=Severity.WARNING,
            time=runtime.clock.now(),
            attributes=attributes,
        )
    )

    assert runtime.flush(5)
    (got,) = inbox.got
    assert cast("dict[str, object]", got.json()["attributes"])["ratio"] == "nan"
    assert b"canary" not in got.body


def test_an_error_that_is_too_large_arrives_without_its_details(stack: ExitStack) -> None:
    """A caller cannot make an error unseen by what it sends."""
    inbox = stack.enter_context(receiving(status(200)))
    runtime = posting(stack, inbox)
    sent = {
        f"field{n}": {f"part{m}": "\N{GRINNING FACE}" * 2000 for m in range(9)} for n in range(9)
    }

    verdict = runtime.handle(AppError("broken", details=sent), ORIGIN)

    assert runtime.flush(5)
    (got,) = inbox.got
    assert verdict.record is not None
    error = cast("dict[str, object]", got.json()["error"])
    assert (error["message"], error["record_id"]) == ("broken", verdict.record.id)
    assert "details" not in error
    assert got.json()["cut"] is True


def test_what_is_refused_counts_as_failed(
    stack: ExitStack, capsys: pytest.CaptureFixture[str]
) -> None:
    """And is said once, without the address."""
    inbox = stack.enter_context(receiving(status(500)))
    runtime = posting(stack, inbox)

    runtime.handle(AppError("first"), ORIGIN)
    runtime.handle(AppError("second"), ORIGIN)

    assert runtime.flush(5)
    assert runtime.dispatcher.deliveries()[0].failed == 2
    said = capsys.readouterr().err
    assert said.count("webhook") == 1
    assert "canary" not in said


def test_a_receiver_that_hangs_holds_up_nobody(stack: ExitStack) -> None:
    """The error is answered while its report waits."""
    inbox = stack.enter_context(receiving(hang))
    runtime = posting(stack, inbox, timeout=0.2)

    verdict = runtime.handle(AppError("broken"), ORIGIN)

    assert verdict.answer is not None
    assert runtime.flush(5)
    assert runtime.dispatcher.deliveries()[0].failed == 1


def test_without_an_address_the_reporter_cannot_be_made() -> None:
    """The mistake is told at the start."""
    with pytest.raises(SettingsError, match="the section WEBHOOK needs a URL"):
        Runtime(Settings(reporters=("webhook",)))


def test_headers_of_the_request_itself_are_refused() -> None:
    """A length of somebody's own would break the request, a host would misdirect it."""
    with pytest.raises(SettingsError, match="must not name 'content-length'"):
        configure(webhook={"headers": {"content-length": "3"}})
