"""Sentry beside us: one event for each untrusted error, and none for a caller's fault."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol, TypeAlias, cast

import pytest
from flask import Flask, Response, abort, g, request
from flask.typing import ResponseReturnValue

from holdfast import AppError, ErrorCode, ResourceNotFoundError
from holdfast.testing import RecordingReporter
from holdfast_flask import Holdfast, runtime_of

sentry_sdk = pytest.importorskip("sentry_sdk")
flask_integration = pytest.importorskip("sentry_sdk.integrations.flask")
transport = pytest.importorskip("sentry_sdk.transport")

SECRET = "hunter2-canary"

Event: TypeAlias = dict[str, object]


class Envelope(Protocol):
    """What the transport gets."""

    def get_event(self) -> Event | None:
        """Return the event in it, if there is one."""
        ...


@pytest.fixture
def events() -> Iterator[list[Event]]:
    """What the transport of Sentry gets, its Flask integration being on."""
    kept: list[Event] = []

    class Keeping(transport.Transport):  # type: ignore[misc, name-defined]  # an optional library
        def capture_envelope(self, envelope: object) -> None:
            event = cast("Envelope", envelope).get_event()
            if event is not None:
                kept.append(event)

    sentry_sdk.init(
        dsn="http://key@127.0.0.1:1/1",
        transport=Keeping,
        integrations=[flask_integration.FlaskIntegration()],
        shutdown_timeout=0,
    )
    yield kept
    sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.init()


@pytest.fixture
def served(events: list[Event], recorded: RecordingReporter) -> Iterator[Flask]:
    """An application that reports to Sentry, with a view for each kind of error."""
    app = Flask("sentry")
    app.config["HOLDFAST_REPORTERS"] = ["sentry"]
    app.config["HOLDFAST_REPORTING"] = {"INLINE": True}
    Holdfast(app, reporters=[recorded])
    for view in VIEWS:
        app.add_url_rule(f"/{view.__name__}", view_func=view)

    @app.teardown_request
    def fail(error: BaseException | None) -> None:
        if request.path == "/teardown":
            raise LookupError(SECRET)

    yield app
    runtime_of(app).close()


def boom() -> str:
    """Fail as a bug does."""
    raise ValueError(SECRET)


async def async_boom() -> str:
    """Fail as a bug does, in a coroutine."""
    raise ValueError(SECRET)


def chained() -> str:
    """Fail because of another failure."""
    try:
        return boom()
    except ValueError as error:
        raise RuntimeError(SECRET) from error


def teardown() -> str:
    """Answer, and fail afterwards."""
    return "fine"


def nothing() -> str:
    """Forget to answer."""
    return None  # type: ignore[return-value]  # the mistake under test


def group() -> str:
    """Fail twice at once."""
    raise ExceptionGroup("two", [ValueError(SECRET), TypeError(SECRET)])


def missing() -> str:
    """Fail by the caller's fault."""
    raise ResourceNotFoundError("Order 7 not found")


def refused() -> str:
    """Refuse by abort()."""
    abort(403)


def aborted() -> str:
    """Fail by abort()."""
    abort(500)


def answered() -> Response:
    """Answer with a server error, without any."""
    return Response("busy", 500)


def outage() -> str:
    """Fail for want of a database."""
    raise AppError(ErrorCode.DATABASE_ERROR, "the statement was refused")


View: TypeAlias = Callable[[], ResponseReturnValue] | Callable[[], Awaitable[ResponseReturnValue]]

VIEWS: tuple[View, ...] = (
    boom,
    async_boom,
    chained,
    teardown,
    nothing,
    group,
    missing,
    refused,
    aborted,
    answered,
    outage,
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/boom", 1),
        ("/async_boom", 1),
        ("/chained", 1),
        ("/teardown", 1),
        ("/nothing", 1),
        ("/group", 1),
        ("/aborted", 1),
        ("/answered", 1),
        ("/outage", 1),
        ("/missing", 0),
        ("/refused", 0),
        ("/nowhere", 0),
    ],
)
def test_sentry_is_told_once_of_what_is_our_fault(
    served: Flask, events: list[Event], path: str, expected: int
) -> None:
    """Its own integration sees the same signal, and yet there is one event, or none."""
    served.test_client().get(path)

    assert len(events) == expected


def test_sentry_is_told_once_under_testing(served: Flask, events: list[Event]) -> None:
    """An error that is raised again through Sentry's layer is not told a second time."""
    served.testing = True

    with pytest.raises(ValueError, match=SECRET):
        served.test_client().get("/boom")

    assert len(events) == 1


def test_errors_that_alternate_are_each_told_of(served: Flask, events: list[Event]) -> None:
    """Sentry's own memory of the last exception alone does not decide."""
    client = served.test_client()

    for path in ("/boom", "/outage", "/boom"):
        client.get(path)

    assert len(events) == 3


class Member:
    """A user as Flask-Login keeps it."""

    def get_id(self) -> str:
        """Return the id."""
        return "7041"


def test_a_record_says_whose_request_it_was(recorded: RecordingReporter) -> None:
    """If Flask-Login has loaded the user already; nobody is asked to."""
    app = Flask("users")
    Holdfast(app, reporters=[recorded])
    app.add_url_rule("/boom", view_func=boom)

    @app.before_request
    def load() -> None:
        if "member" in request.args:
            g._login_user = Member()

    app.test_client().get("/boom")
    app.test_client().get("/boom?member")

    runtime_of(app).flush()
    told = [record.origin.attributes for record in recorded.records]
    assert told == [{}, {"user_id": "7041"}]
    runtime_of(app).close()
