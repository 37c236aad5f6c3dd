"""Deadlines of requests: what callers say, what the settings allow, and what comes of it."""

import pytest
from flask import Flask

from holdfast.errors import DeadlineExceededError
from holdfast.resilience.deadline import remaining
from holdfast.testing import RecordingReporter
from tests.flask_ext.bodies import about
from tests.flask_ext.conftest import MakeApp

TRUSTED = {"TRUST_HEADERS": True, "LONGEST": 30.0}


def with_view(app: Flask) -> Flask:
    """Add a view that says how long it may take, and one whose time ran out."""

    @app.get("/left")
    def said() -> str:
        return str(remaining())

    @app.get("/late")
    def late() -> str:
        raise DeadlineExceededError("Stock was slow")

    return app


@pytest.mark.parametrize(
    ("headers", "most"),
    [
        ({"X-Request-Timeout-Ms": "1500"}, 1.5),
        ({"grpc-timeout": "2S"}, 2.0),
        ({"x-envoy-expected-rq-timeout-ms": "250"}, 0.25),
        ({"X-Request-Timeout-Ms": "3600000"}, 30.0),
    ],
)
def test_what_a_trusted_caller_says_is_the_deadline(
    headers: dict[str, str], most: float, make_app: MakeApp
) -> None:
    """Never more than the longest; after the request there is none."""
    app = with_view(make_app(HOLDFAST_DEADLINE=TRUSTED))

    seconds = float(app.test_client().get("/left", headers=headers).text)

    assert 0 < seconds <= most
    assert remaining() == float("inf")


@pytest.mark.parametrize("value", ["soon", "-1", "1.5", "", "1" * 13, "٣"])
def test_nonsense_is_no_deadline(value: str, make_app: MakeApp) -> None:
    """Nobody is refused because of a header that cannot be read."""
    app = with_view(make_app(HOLDFAST_DEADLINE=TRUSTED))
    environ = {"HTTP_X_REQUEST_TIMEOUT_MS": value, "HTTP_GRPC_TIMEOUT": value}

    assert app.test_client().get("/left", environ_overrides=environ).text == "inf"


def test_callers_are_not_trusted_by_default(make_app: MakeApp) -> None:
    """A default holds whatever they say; without one there is no deadline."""
    headers = {"X-Request-Timeout-Ms": "1"}

    free = with_view(make_app()).test_client().get("/left", headers=headers)
    held = with_view(make_app(HOLDFAST_DEADLINE={"DEFAULT": 10.0})).test_client()

    assert free.text == "inf"
    assert 1.0 < float(held.get("/left", headers=headers).text) <= 10.0


def test_a_request_that_nobody_waits_for_is_refused(
    make_app: MakeApp, recorded: RecordingReporter
) -> None:
    """No view is asked; the answer is a 504 in the envelope, recorded once."""
    app = with_view(make_app(HOLDFAST_DEADLINE=TRUSTED))

    response = app.test_client().get("/left", headers={"X-Request-Timeout-Ms": "0"})

    assert response.status_code == 504
    assert about(response)["code"] == "DEADLINE_EXCEEDED"
    assert [record.origin.operation for record in recorded.records] == ["GET /left"]


def test_a_deadline_that_passes_in_a_view_is_a_504(make_app: MakeApp) -> None:
    """As any other error of the suite."""
    app = with_view(make_app())

    assert app.test_client().get("/late").status_code == 504
