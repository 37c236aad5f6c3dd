"""The outermost middleware: ids in and out, the nets behind Django's own handling, streams."""

import asyncio
import json
import re
import sys
from dataclasses import replace
from types import ModuleType
from typing import cast
from unittest.mock import Mock, patch

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import got_request_exception
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
)
from django.http.response import HttpResponseBase
from django.test import AsyncClient, Client, RequestFactory, override_settings
from hypothesis import given
from hypothesis import strategies as st

from holdfast.classify import UNKNOWN, Classification, Classifier
from holdfast.context import current_context, work_context
from holdfast.errors import AppError, InternalServerError
from holdfast.handler import Action, Next, Verdict, last_server_error
from holdfast.origin import ErrorContext
from holdfast.runtime import Runtime
from holdfast.settings import Settings
from holdfast_django import current, signals
from holdfast_django.middleware import HoldfastMiddleware
from tests.django_ext.conftest import RecordingProject
from tests.django_ext.project.failures import FAILURES

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def client() -> Client:
    """Make a client that shows 500s instead of raising."""
    return Client(raise_request_exception=False)


def answer(response: HttpResponseBase, request: HttpRequest | None = None) -> HttpResponseBase:
    """Return what the middleware makes of a response."""
    made = HoldfastMiddleware(lambda _: response)(request or RequestFactory().get("/"))
    assert isinstance(made, HttpResponseBase)
    return made


def test_a_traceparent_comes_back_with_a_span_of_our_own(client: Client) -> None:
    """The trace goes on: same trace id and flags, another span."""
    response = client.get("/sync/ok", headers={"traceparent": TRACEPARENT})

    trace_id, span_id, flags = TRACEPARENT.split("-")[1:]
    assert response.headers["X-Request-ID"] == trace_id
    assert re.fullmatch(
        rf"00-{trace_id}-(?!{span_id})[0-9a-f]{{16}}-{flags}", response.headers["traceparent"]
    )


def test_a_request_id_comes_back(client: Client) -> None:
    """A valid id of the caller's is the id of everything."""
    response = client.get("/sync/crash", headers={"X-Request-ID": "order-42"})

    assert response.headers["X-Request-ID"] == "order-42"
    assert response.json()["except"]["trace_id"] == "order-42"


@given(
    st.one_of(
        st.text(min_size=1).filter(
            lambda text: not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/@=+-]*", text)
        ),
        st.integers(129, 10_000).map("a".__mul__),
    )
)
def test_an_invalid_request_id_is_replaced(value: str) -> None:
    """Neither line breaks, nor floods, nor anything beyond plain ASCII comes back."""
    request = RequestFactory().get("/", HTTP_X_REQUEST_ID=value, HTTP_TRACEPARENT=value)

    response = answer(HttpResponse(), request)

    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Request-ID"])


def test_the_context_ends_with_the_request(client: Client) -> None:
    """Nothing of a request is left when it is over, whether it failed or not."""
    client.get("/sync/ok")
    client.get("/sync/crash")

    assert current_context() is None


def test_a_server_error_without_an_exception_is_recorded(
    client: Client, project: RecordingProject
) -> None:
    """A 500 in the project's own words keeps them, and is an event of its own."""
    response = client.get("/sync/wordy")

    assert (response.status_code, response.content) == (500, b"our own words")
    assert [r.classification.code for r in project.recorded.records] == ["UNEXPLAINED_RESPONSE"]


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("default", ["the project's", "another"])
async def test_an_error_that_the_view_kept_is_the_one_behind_its_answer(
    mode: str, default: str, project: RecordingProject
) -> None:
    """One record of one failure; the body, where we give it, is of the status and leads to the record."""
    if default == "another":
        current.project_runtime().uninstall()
        Runtime(Settings(reporters=())).install()

    bodiless = await AsyncClient().get(f"/{mode}/degraded")
    wordy = await AsyncClient().get(f"/{mode}/degraded-wordy")

    first, second = project.recorded.records
    assert [first.classification.code, second.classification.code] == ["INTERNAL_ERROR"] * 2
    assert (
        first.trace_id == bodiless.headers["X-Request-ID"] == bodiless.json()["except"]["trace_id"]
    )
    assert (bodiless.status_code, bodiless.json()["except"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert "details" not in bodiless.json()["except"]
    assert (wordy.status_code, wordy.content) == (503, b"our own words")
    assert second.trace_id == wordy.headers["X-Request-ID"]


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("error", [InternalServerError("shared"), RuntimeError("shared")], ids=type)
def test_an_exception_that_is_raised_again_is_another_error_in_each_request(
    mode: str, error: Exception, client: Client, project: RecordingProject
) -> None:
    """One object, made when a module is loaded: each request has its own record and its own id."""
    with patch.dict(FAILURES, crash=Mock(side_effect=error)):
        answers = [client.get(f"/{mode}/crash") for _ in range(2)]

    told = [answer.json()["except"]["trace_id"] for answer in answers]
    assert told == [answer.headers["X-Request-ID"] for answer in answers]
    assert told == [record.trace_id for record in project.recorded.records]
    assert len({*told}) == 2


def test_a_callers_error_that_the_view_kept_explains_no_server_error(
    client: Client, project: RecordingProject
) -> None:
    """There must have been something else."""
    client.get("/sync/refused-twice")

    codes = [record.classification.code for record in project.recorded.records]
    assert codes == ["RESOURCE_NOT_FOUND", "UNEXPLAINED_RESPONSE"]


def test_an_error_explains_the_answer_of_its_own_request_alone(
    client: Client, project: RecordingProject
) -> None:
    """The next one is told of again."""
    client.get("/sync/degraded")
    client.get("/sync/bodiless")

    codes = [record.classification.code for record in project.recorded.records]
    assert codes == ["INTERNAL_ERROR", "UNEXPLAINED_RESPONSE"]
    assert last_server_error() is None


def test_an_error_of_one_request_explains_no_other_within_the_same_work(
    client: Client, project: RecordingProject
) -> None:
    """A command that serves requests, such as a server of its own, is one piece of work around them all."""
    with work_context("the-command"):
        client.get("/sync/degraded")
        client.get("/sync/bodiless")

    codes = [record.classification.code for record in project.recorded.records]
    assert codes == ["INTERNAL_ERROR", "UNEXPLAINED_RESPONSE"]


def test_a_worker_that_gunicorn_ends_leaves_the_record_of_its_request(
    project: RecordingProject,
) -> None:
    """The exit goes on; its frames show where the request was."""
    gunicorn = ModuleType("gunicorn.workers.base")
    exec("def handle_abort(): raise SystemExit(1)", gunicorn.__dict__)  # noqa: S102  # what gunicorn's handler does

    with pytest.raises(SystemExit):
        HoldfastMiddleware(lambda _: gunicorn.handle_abort())(RequestFactory().get("/"))

    (record,) = project.recorded.records
    assert record.classification.code == "PROCESS_CRASHED"
    assert record.origin.boundary == "django.request"
    assert record.frames[-1].function == "handle_abort"


def test_a_bodiless_refusal_gets_a_body_and_keeps_its_headers() -> None:
    """Django's 405 says nothing but `Allow`; ours says it all."""
    response = answer(HttpResponseNotAllowed(["GET", "HEAD"]))

    assert isinstance(response, HttpResponse)
    assert b"METHOD_NOT_ALLOWED" in response.content
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "INVALID_REQUEST_DATA"),
        (401, "UNAUTHORIZED"),
        (404, "RESOURCE_NOT_FOUND"),
        (409, "STATE_CONFLICT"),
        (418, "INVALID_REQUEST_DATA"),
        (429, "RATE_LIMIT_EXCEEDED"),
        (500, "UNEXPLAINED_RESPONSE"),
        (507, "UNEXPLAINED_RESPONSE"),
    ],
)
def test_a_bodiless_response_keeps_its_status(
    status: int, code: str, project: RecordingProject
) -> None:
    """The status is the project's word; body and record follow it."""
    response = answer(HttpResponse(status=status, headers={"Content-Length": "0"}))

    assert isinstance(response, HttpResponse)
    assert response.status_code == status
    assert response.headers["Content-Length"] == str(len(response.content))
    (record,) = project.recorded.records
    assert (record.classification.code, record.classification.status) == (code, status)


def test_a_bodiless_refusal_of_a_head_request_stays_bodiless() -> None:
    """HEAD never has a body."""
    response = answer(HttpResponseNotAllowed(["GET"]), RequestFactory().head("/"))

    assert isinstance(response, HttpResponse)
    assert response.content == b""
    assert int(response.headers["Content-Length"]) > 0


def test_a_refusal_in_the_projects_own_words_is_left_alone(project: RecordingProject) -> None:
    """A 4xx with a body is an answer, not an error."""
    response = answer(HttpResponse("no", status=400))

    assert isinstance(response, HttpResponse)
    assert response.content == b"no"
    assert project.recorded.records == []


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), RuntimeError("server")])
def test_what_passes_through_comes_out_unchanged(
    error: BaseException, project: RecordingProject
) -> None:
    """Exits go on unrecorded, errors of Django's own handling go on recorded."""

    def fail(_: HttpRequest) -> HttpResponse:
        raise error

    with pytest.raises(type(error)) as raised:
        HoldfastMiddleware(fail)(RequestFactory().get("/"))

    assert raised.value is error
    assert len(project.recorded.records) == isinstance(error, RuntimeError)


@pytest.mark.parametrize(
    ("when", "code"),
    [
        ("before", "INTERNAL_ERROR"),
        ("after", "INTERNAL_ERROR"),
        ("before-apperror", "RESOURCE_NOT_FOUND"),
        ("after-apperror", "RESOURCE_NOT_FOUND"),
    ],
)
@pytest.mark.parametrize("kind", ["synchronous", "asynchronous", "failing"])
@pytest.mark.parametrize("protocol", ["wsgi", "asgi"])
def test_what_a_middleware_of_any_kind_raises_is_answered_and_recorded_once(
    protocol: str, kind: str, when: str, code: str, client: Client, project: RecordingProject
) -> None:
    """Also where Django adapts it to the other kind."""
    async_client = AsyncClient(raise_request_exception=False)
    stack = [
        "holdfast_django.middleware.HoldfastMiddleware",
        f"tests.django_ext.project.middleware.{kind}",
    ]
    with override_settings(MIDDLEWARE=stack):
        ask = client.get if protocol == "wsgi" else async_to_sync(async_client.get)
        response: HttpResponseBase = ask(f"/middleware/{when}")

    assert isinstance(response, HttpResponse)
    body = json.loads(response.content)["except"]
    (record,) = project.recorded.records
    assert (body["code"], record.classification.code) == (code, code)
    assert body["trace_id"] == record.trace_id == response.headers["X-Request-ID"]


async def test_a_cancelled_request_is_no_error(project: RecordingProject) -> None:
    """A caller who leaves cancels the request: nothing is recorded, the cancellation goes on."""

    async def leave(_: HttpRequest) -> HttpResponse:
        raise asyncio.CancelledError

    handled = HoldfastMiddleware(leave)(RequestFactory().get("/"))

    with pytest.raises(asyncio.CancelledError):
        await handled  # type: ignore[misc]  # asynchronous, because the rest of the stack is
    assert project.recorded.records == []


def test_the_test_client_raises_server_errors_and_no_others() -> None:
    """As without us: a 500 comes out as the view's exception, a 404 as a response."""
    client = Client()

    with pytest.raises(KeyError, match="password"):
        client.get("/sync/crash")
    with pytest.raises(TimeoutError):
        client.get("/sync/timeout")
    assert client.get("/sync/not-found").status_code == 404
    assert client.get("/middleware/ok").status_code == 200


async def test_the_asynchronous_test_client_raises_server_errors() -> None:
    """The same under ASGI."""
    with pytest.raises(KeyError, match="password"):
        await AsyncClient().get("/async/crash")


@pytest.mark.parametrize("path", ["/sync/crash", "/async/crash", "/drf/out-of-order"])
def test_djangos_signal_is_sent_once_for_a_server_error(client: Client, path: str) -> None:
    """Other listeners hear of an error as if we were not there; one that raises changes nothing."""
    heard: list[object] = []

    def listen(**_: object) -> None:
        heard.append(sys.exception())
        raise RuntimeError("a listener broke")

    got_request_exception.connect(listen)
    try:
        response = client.get(path)
    finally:
        got_request_exception.disconnect(listen)

    assert response.json()["success"] is False
    assert len(heard) == 1
    assert isinstance(heard[0], Exception)


def test_our_receiver_is_connected_once() -> None:
    """Getting ready again does not count an error twice."""
    from holdfast_django.signals import connect  # noqa: PLC0415

    before = len(got_request_exception.receivers)

    connect()

    assert len(got_request_exception.receivers) == before


@pytest.mark.parametrize("silent", [True, False])
def test_our_receiver_never_raises(
    *,
    silent: bool,
    rf_request: HttpRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What it raised would come out in the place of the user's error; a daemon has no standard error."""

    def fail(*_: object, **__: object) -> Verdict:
        raise RuntimeError("capture broke")

    monkeypatch.setattr(signals, "capture", fail)
    if silent:
        monkeypatch.setattr(sys, "stderr", None)
    try:
        raise KeyError("sku")
    except KeyError:
        signals.receive(rf_request)

    said = "" if silent else "holdfast: capture raised RuntimeError\n"
    assert capsys.readouterr().err == said


@override_settings(DEBUG=True)
def test_debug_keeps_djangos_technical_pages(client: Client) -> None:
    """Developers see Django's pages for what Django has a page for; errors raised on purpose are answered."""
    assert b"Exception Value" in client.get("/sync/crash").content
    assert b"URLconf" in client.get("/nowhere").content
    assert client.get("/sync/not-found").json()["except"]["code"] == "RESOURCE_NOT_FOUND"


@override_settings(DEBUG=True)
def test_a_setting_answers_in_debug_too(client: Client, project: RecordingProject) -> None:
    """With IN_DEBUG callers get what production gives them."""
    project.configure(in_debug=True)

    assert client.get("/sync/crash").json()["except"]["code"] == "INTERNAL_ERROR"


@override_settings(DEBUG_PROPAGATE_EXCEPTIONS=True)
def test_propagated_exceptions_are_recorded_once(project: RecordingProject) -> None:
    """Every layer sees the exception again; it is one error."""
    with pytest.raises(KeyError):
        Client().get("/sync/crash")

    assert len(project.recorded.records) == 1


def test_a_handler_that_recovers_answers_the_request(project: RecordingProject) -> None:
    """A middleware of the handler may give a response of its own."""

    @current.project_runtime().add_middleware
    def recover(error: BaseException, context: ErrorContext, following: Next) -> Verdict:
        return Verdict(action=Action.RECOVERED, value=HttpResponse("recovered"))

    assert Client().get("/sync/crash").content == b"recovered"


@pytest.mark.parametrize("status", [1000, 99, 200, 0, -1, None, "500"])
@pytest.mark.parametrize("by", ["raiser", "classifier", "step"])
def test_a_status_that_no_error_has_becomes_500(
    client: Client, by: str, status: object, project: RecordingProject
) -> None:
    """Whoever chose it: a raiser, a classifier of the project's, or a step of the handler."""
    nonsense = cast("int", status)
    handler = current.project_runtime().handler

    def classify(error: BaseException, context: ErrorContext) -> Classification:
        return replace(UNKNOWN, status=nonsense)

    def step(error: BaseException, context: ErrorContext, following: Next) -> Verdict:
        verdict = following(error, context)
        assert verdict.answer is not None
        said = replace(verdict.answer.classification, status=nonsense)
        return replace(verdict, answer=replace(verdict.answer, classification=said))

    error = AppError("nonsense")
    if by == "raiser":
        error.status = nonsense
    elif by == "classifier":
        handler.classifier = Classifier(functions=[classify])
    else:
        handler.add_middleware(step)

    with patch.dict(FAILURES, crash=Mock(side_effect=error)):
        response = client.get("/sync/crash", headers={"Accept": "application/problem+json"})

    assert (response.status_code, response.json()["status"]) == (500, 500)
    assert len(project.recorded.records) == 1


def test_the_middleware_alone_is_refused_at_start_up() -> None:
    """Without its app nothing would capture what Django answers."""
    with (
        override_settings(INSTALLED_APPS=[]),
        pytest.raises(ImproperlyConfigured, match="INSTALLED_APPS"),
    ):
        HoldfastMiddleware(lambda _: HttpResponse())


def test_a_body_of_ours_varies_with_what_chose_it() -> None:
    """What the response varied with before is kept."""
    response = answer(HttpResponse(status=403, headers={"Vary": "Cookie"}))

    assert response.headers["Vary"] == "Cookie, Accept, Accept-Language"
