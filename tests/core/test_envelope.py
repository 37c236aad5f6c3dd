"""What a caller sees: envelope, problem and page, and which of them is chosen."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.classify import UNKNOWN, Classification, Classifier, Reading, classification_of
from holdfast.codes import ErrorCode, ErrorKind, Fault
from holdfast.envelope import (
    Answer,
    Format,
    Rendered,
    answer_to,
    negotiate,
    render,
    to_envelope,
    to_html,
    to_problem,
)
from holdfast.errors import (
    AppError,
    CommunicationError,
    DatabaseError,
    InternalServerError,
    RateLimitError,
    ResourceNotFoundError,
    ServiceUnavailableError,
    ValidationError,
    WorkflowError,
)
from holdfast.origin import Origin
from holdfast.record import ErrorRecord
from holdfast.redact import JsonValue, Redactor

SECRET = "CANARY-4711"


class Masking(Redactor):
    """A redactor that knows one secret, and otherwise changes nothing."""

    def text(self, text: str) -> str:
        """Take the secret out."""
        return text.replace(SECRET, "[redacted]")

    def mapping(self, fields: Mapping[str, object]) -> dict[str, JsonValue]:
        """Take the secret out of texts."""
        clean = {k: self.text(v) if isinstance(v, str) else v for k, v in fields.items()}
        return cast("dict[str, JsonValue]", clean)


def record_of(classification: Classification) -> ErrorRecord:
    """Return a record with known ids and time."""
    return ErrorRecord(
        id="8f14e45fceea467fa8f51a0e1b9c3d2e",
        time=datetime(2024, 1, 15, 10, 30, 0, 999999, tzinfo=UTC),
        trace_id="req_123456789",
        span_id="00f067aa0ba902b7",
        origin=Origin(boundary="test"),
        classification=classification,
        type="x",
        message="x",
        frames=(),
        fingerprint="x",
    )


def answered(error: AppError) -> Answer:
    """Return what may be said of an error."""
    reading, masking = Classifier().read(error), Masking()
    record = record_of(reading.classification)
    return answer_to(reading, masking, record, masking.mapping(error.details))


def body_of(rendered: Rendered) -> dict[str, object]:
    """Return the JSON of a body."""
    return cast("dict[str, object]", json.loads(rendered.body))


BODIES: list[tuple[AppError, str, list[str], dict[str, object]]] = [
    (
        ValidationError(
            ErrorCode.INVALID_REQUEST_DATA,
            "Données de requête invalides",
            errors=["Le champ 'collection_date' est requis", "La quantité doit être positive"],
        ),
        "Données de requête invalides",
        ["Le champ 'collection_date' est requis", "La quantité doit être positive"],
        {"type": "ValidationError", "code": "INVALID_REQUEST_DATA"},
    ),
    (
        AppError(ErrorCode.TOKEN_EXPIRED, "Token expiré", errors=["Le token JWT a expiré"]),
        "Token expiré",
        ["Le token JWT a expiré"],
        {"type": "AuthenticationError", "code": "TOKEN_EXPIRED"},
    ),
    (
        ResourceNotFoundError("Collection 999 not found"),
        "Collection 999 not found",
        ["Collection 999 not found"],
        {"type": "ResourceNotFoundError", "code": "RESOURCE_NOT_FOUND"},
    ),
    (
        RateLimitError("Trop de requêtes", retry_after=45),
        "Trop de requêtes",
        ["Trop de requêtes"],
        {"type": "RateLimitError", "code": "RATE_LIMIT_EXCEEDED", "retry_after": 45},
    ),
    (
        ValidationError("Wrong", field_errors={"trade.products[0].quantity": ["above 0"]}),
        "Wrong",
        ["trade.products[0].quantity: above 0"],
        {
            "type": "ValidationError",
            "code": "VALIDATION_FAILED",
            "details": {"field_errors": {"trade.products[0].quantity": ["above 0"]}},
        },
    ),
    (
        WorkflowError(
            "Transition d'état non autorisée",
            details={"current_state": "approved", "allowed_transitions": []},
        ),
        "Transition d'état non autorisée",
        ["Transition d'état non autorisée"],
        {
            "type": "WorkflowError",
            "code": "INVALID_STATE_TRANSITION",
            "details": {"current_state": "approved", "allowed_transitions": []},
        },
    ),
    (
        DatabaseError(
            ErrorCode.FOREIGN_KEY_CONSTRAINT,
            "Erreur de base de données",
            errors=["Le collecteur avec l'ID 999 n'existe pas"],
            details={"table": "collections"},
        ),
        "Erreur de base de données",
        ["Le collecteur avec l'ID 999 n'existe pas"],
        {
            "type": "DatabaseError",
            "code": "FOREIGN_KEY_CONSTRAINT",
            "details": {"table": "collections"},
        },
    ),
    (
        CommunicationError(
            ErrorCode.NATS_SERVICE_UNAVAILABLE,
            "nats://10.0.0.1 refused",
            errors=["Impossible de communiquer avec le service TradeFlow"],
            details={"service": "TradeFlow Service", "timeout": 5000, "attempts": 3},
        ),
        "Service temporarily unavailable",
        ["Impossible de communiquer avec le service TradeFlow"],
        {
            "type": "CommunicationError",
            "code": "NATS_SERVICE_UNAVAILABLE",
            "details": {"service": "TradeFlow Service", "timeout": 5000, "attempts": 3},
        },
    ),
    (
        InternalServerError("table shop_order is locked"),
        "Internal server error",
        ["An unexpected error occurred", "Please try again in a few minutes"],
        {"type": "InternalServerError", "code": "INTERNAL_ERROR"},
    ),
]


@pytest.mark.parametrize(
    ("error", "message", "errors", "about"), BODIES, ids=[str(b[3]["code"]) for b in BODIES]
)
def test_the_envelope_has_the_documented_fields(
    error: AppError, message: str, errors: list[str], about: dict[str, object]
) -> None:
    """Every body has success, message, result, errors and except, with what applies and no more."""
    assert to_envelope(answered(error)) == {
        "success": False,
        "message": message,
        "result": None,
        "errors": errors,
        "except": {
            **about,
            "trace_id": "req_123456789",
            "timestamp": "2024-01-15T10:30:00Z",
        },
    }


def test_a_problem_has_the_members_of_the_rfc_and_ours() -> None:
    """Problem details carry the RFC's five members, and code, errors, trace id and the rest."""
    error = RateLimitError("Slow down", details={"limit": 100}, retry_after=2.1)

    problem = to_problem(answered(error), type_uri="https://x.test/errors/{code}")

    assert problem == {
        "type": "https://x.test/errors/RATE_LIMIT_EXCEEDED",
        "title": "Too many requests",
        "status": 429,
        "detail": "Slow down",
        "instance": "urn:uuid:8f14e45f-ceea-467f-a8f5-1a0e1b9c3d2e",
        "code": "RATE_LIMIT_EXCEEDED",
        "errors": ["Slow down"],
        "trace_id": "req_123456789",
        "timestamp": "2024-01-15T10:30:00Z",
        "details": {"limit": 100},
        "retry_after": 3,
    }


def test_a_problem_leaves_out_what_does_not_apply() -> None:
    """Without details and waiting time there are no such members, and the type is a blank one."""
    problem = to_problem(answered(ResourceNotFoundError()))

    assert problem["type"] == "about:blank"
    assert "details" not in problem
    assert "retry_after" not in problem


@pytest.mark.parametrize("kind", ErrorKind)
@pytest.mark.parametrize("chosen", Format)
def test_a_message_is_shown_only_for_the_callers_fault(kind: ErrorKind, chosen: Format) -> None:
    """The raiser's message comes out for each kind that is the caller's fault, and for no other."""
    error = AppError("words for operators")
    error.kind, error.status, error.severity = kind, kind.status, kind.severity

    body = render(answered(error), chosen).body.decode()

    assert ("words for operators" in body) is (kind.fault is Fault.CALLER)


def test_a_rule_cannot_show_what_was_meant_for_operators() -> None:
    """A message raised for operators stays theirs when a rule calls the error the caller's fault."""
    said = classification_of(ErrorCode.STATE_CONFLICT)
    error = DatabaseError("duplicate key of shop_user", errors=["Already there"])

    answer = answer_to(Reading(said, error), Masking(), record_of(said), {})

    assert (answer.status, answer.message, answer.errors) == (409, "", ("Already there",))


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (ErrorKind.INTERNAL, "An unexpected error occurred"),
        (ErrorKind.DEPENDENCY_FAILED, "A service this one depends on did not answer as it should"),
        (ErrorKind.UNAVAILABLE, "The service is temporarily unavailable"),
        (ErrorKind.TIMED_OUT, "The answer took too long"),
        (ErrorKind.NOT_FOUND, "Internal server error"),
    ],
)
def test_a_general_sentence_stands_for_what_may_not_be_said(kind: ErrorKind, sentence: str) -> None:
    """An error that says nothing gets a sentence by its kind; a caller's fault, its title."""
    said = replace(UNKNOWN, kind=kind, status=507)

    assert Answer(classification=said, record=record_of(said)).said("en")[1][0] == sentence


@pytest.mark.parametrize(
    ("given", "shown"), [("30", 30), (timedelta(seconds=3), None), ("soon", None)]
)
def test_a_waiting_time_of_another_type_takes_no_answer_away(
    given: object, shown: int | None
) -> None:
    """What is no number is left out; text of a number is one."""
    error = RateLimitError("slow")
    error.retry_after = cast("float", given)

    assert answered(error).retry_after == shown


def test_a_title_that_cannot_be_read_gives_way_to_the_code() -> None:
    """A lazy text that raises when it is read does not take the answer away."""

    class Broken:
        def __str__(self) -> str:
            raise LookupError

    said = replace(UNKNOWN, title=Broken())

    assert to_envelope(Answer(classification=said, record=record_of(said)))["message"] == said.code


def test_a_callers_fault_with_a_server_status_says_its_message() -> None:
    """What decides between message and general sentence is the fault, not the status."""
    error = ResourceNotFoundError("No such method")
    error.status = 501

    assert to_envelope(answered(error))["errors"] == ["No such method"]


def test_everything_a_raiser_says_is_redacted() -> None:
    """Message, errors and details come out without their secrets."""
    error = ValidationError(
        f"m {SECRET}", errors=[f"e {SECRET}"], details={"d": f"d {SECRET}", "n": 1}
    )

    answer = answered(error)

    assert (answer.message, answer.errors) == ("m [redacted]", ("e [redacted]",))
    assert answer.details == {"d": "d [redacted]", "n": 1}


def test_sentences_are_bounded() -> None:
    """A raiser with thousands of sentences does not make a body of thousands."""
    answer = answered(ValidationError("m", errors=[str(n) for n in range(5000)]))

    assert answer.errors == tuple(str(n) for n in range(100))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, None),
        (0, 0),
        (0.0, 0),
        (0.001, 1),
        (1, 1),
        (1.2, 2),
        (45.0, 45),
        (-3, 0),
        (-0.5, 0),
        (float("nan"), None),
        (float("inf"), None),
        (float("-inf"), 0),
        (1e308, 366 * 24 * 3600),
        (10**400, 366 * 24 * 3600),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_waiting_time_is_whole_seconds(seconds: float | None, shown: int | None) -> None:
    """Rounded up, never negative, at most a year; what is no number of seconds is left out."""
    answer = answered(RateLimitError("slow", retry_after=seconds))
    about = cast("dict[str, object]", to_envelope(answer)["except"])

    assert answer.retry_after == shown
    assert about.get("retry_after") == shown
    assert dict(answer.headers).get("Retry-After") == (None if shown is None else str(shown))


def test_a_waiting_time_replaces_the_header_of_that_name() -> None:
    """There is one `Retry-After`, and it agrees with the body."""
    error = RateLimitError("slow", retry_after=2, headers={"retry-after": "99", "Allow": "GET"})

    assert answered(error).headers == (("Allow", "GET"), ("Retry-After", "2"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "a\r\nSet-Cookie: b=c"),
        ("X-A", "a\nb"),
        ("X-A", "a\x00b"),
        ("X-A", "é"),
        ("X-A", "a" * 10_000),
        ("X-A\r\nX-B", "a"),
        ("X-A: b\r\nX-C", "a"),
        ("X A", "a"),
        ("X:A", "a"),
        ("", "a"),
        ("É", "a"),
        ("Content-Length", "5"),
        ("content-type", "text/plain"),
        ("CONTENT-LANGUAGE", "de"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_header_that_could_do_harm_is_left_out(name: str, value: str) -> None:
    """Line breaks, what is not ASCII, floods and headers of the body itself are refused."""
    error = AppError("m", headers={name: value, "Allow": "GET"})

    assert answered(error).headers == (("Allow", "GET"),)


def test_headers_of_the_error_come_out() -> None:
    """What a raiser adds comes out, without white space around it."""
    error = AppError("m", headers={"WWW-Authenticate": ' Bearer realm="a b" ', "Vary": "Cookie"})

    assert answered(error).headers == (
        ("WWW-Authenticate", 'Bearer realm="a b"'),
        ("Vary", "Cookie"),
    )


@given(st.dictionaries(st.text(), st.text(), max_size=5))
def test_no_header_ever_breaks_a_line(headers: dict[str, str]) -> None:
    """Whatever names and values are given, those that come out are printable ASCII."""
    for name, value in answered(AppError("m", headers=headers)).headers:
        assert name
        assert (name + value).isascii()
        assert (name + value).isprintable()


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", Format.ENVELOPE),
        ("*/*", Format.ENVELOPE),
        (BROWSER, Format.HTML),
        ("text/html", Format.HTML),
        ("TEXT/HTML", Format.HTML),
        ("application/xhtml+xml", Format.HTML),
        ("application/json", Format.ENVELOPE),
        ("application/json, text/plain, */*", Format.ENVELOPE),
        ("application/json, text/html", Format.ENVELOPE),
        ("application/json;q=0.5, text/html", Format.HTML),
        ("text/html;q=0.5, application/json", Format.ENVELOPE),
        ("text/html, */*", Format.ENVELOPE),
        ("text/html, application/*;q=0.1", Format.HTML),
        ("text/html;q=0, */*;q=0.1", Format.ENVELOPE),
        ("text/html;q=0", Format.ENVELOPE),
        ("text/plain", Format.ENVELOPE),
        ("image/*", Format.ENVELOPE),
        ("application/problem+json", Format.PROBLEM),
        ("application/problem+json, application/json", Format.ENVELOPE),
        ("application/problem+json, application/json;q=0.5", Format.PROBLEM),
        ("application/json, application/problem+json;q=0.9", Format.ENVELOPE),
        ("application/problem+json, */*", Format.PROBLEM),
        ("application/problem+json;q=0.5, */*", Format.ENVELOPE),
        ("application/problem+json, text/html;q=0.9", Format.PROBLEM),
        ("application/problem+json;q=0.9, text/html", Format.HTML),
        ("application/problem+json;q=0", Format.ENVELOPE),
        ("text/html;level=1;q=0.3, application/json;q=0.2", Format.HTML),
        ("text/html;q=junk", Format.ENVELOPE),
        ("text/html;q=nan", Format.ENVELOPE),
        ("text/html;q=-1", Format.ENVELOPE),
        ("text/html;q=7", Format.ENVELOPE),
        (",;=,;q=,,", Format.ENVELOPE),
        ("a" * 100_000, Format.ENVELOPE),
        ("text/html," * 50_000, Format.HTML),
    ],
    ids=lambda value: str(value)[:60],
)
def test_the_format_a_caller_prefers_is_chosen(accept: str, expected: Format) -> None:
    """HTML only when preferred, problem details only when named, else the default."""
    assert negotiate(accept) is expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", Format.PROBLEM),
        ("*/*", Format.PROBLEM),
        ("application/json, text/plain, */*", Format.PROBLEM),
        ("application/json, application/problem+json", Format.PROBLEM),
        (BROWSER, Format.HTML),
    ],
)
def test_a_site_may_answer_with_problems_by_default(accept: str, expected: Format) -> None:
    """Where the setting says so, whoever takes any JSON gets problem details."""
    assert negotiate(accept, Format.PROBLEM) is expected


@pytest.mark.parametrize("accept", [BROWSER, "text/html"])
def test_a_site_may_do_without_pages(accept: str) -> None:
    """Where pages are off, a browser gets JSON."""
    assert negotiate(accept, html=False) is Format.ENVELOPE


@given(st.text() | st.text(alphabet="texhml/aplicion*+;q=.,01 "))
def test_negotiation_never_fails(accept: str) -> None:
    """Whatever is sent as `Accept`, there is a format."""
    assert negotiate(accept) in Format


def test_a_page_escapes_everything() -> None:
    """Nothing a raiser, a caller or a translator says becomes markup."""
    nasty = "<script>alert('&\"')</script>"
    error = ValidationError(nasty, errors=[nasty, "fine"])
    error.title, error.code = nasty, nasty
    answer = replace(answered(error), record=replace(record_of(UNKNOWN), trace_id=nasty))

    page = to_html(answer, language='"><script>')

    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(&#x27;&amp;&quot;&#x27;)&lt;/script&gt;") == 5
    assert "<li>fine</li>" in page


def test_a_page_needs_no_permission() -> None:
    """A page has status, title, sentences, code and trace id, and neither styles nor scripts."""
    page = to_html(answered(ServiceUnavailableError("db is down")), language="en")

    for part in ("503", "Service temporarily unavailable", "SERVICE_UNAVAILABLE", "req_123456789"):
        assert part in page
    assert "db is down" not in page
    for part in ("<script", "<style", "style=", "src=", "href="):
        assert part not in page


def test_a_sentence_that_is_the_message_is_not_said_twice() -> None:
    """A page with nothing but its message has no list."""
    page = to_html(answered(ValidationError("only this")))

    assert page.count("only this") == 1
    assert "<ul>" not in page


@pytest.mark.parametrize(
    ("chosen", "content_type"),
    [
        (Format.ENVELOPE, "application/json"),
        (Format.PROBLEM, "application/problem+json"),
        (Format.HTML, "text/html; charset=utf-8"),
    ],
)
def test_a_rendered_answer_is_complete(chosen: Format, content_type: str) -> None:
    """Status, content type, bytes and headers are all a web framework needs."""
    rendered = render(answered(RateLimitError("é", retry_after=1)), chosen, "en")

    assert (rendered.status, rendered.content_type) == (429, content_type)
    assert "é".encode() in rendered.body
    assert rendered.headers == (("Retry-After", "1"), ("Content-Language", "en"))


def test_each_format_has_its_own_body() -> None:
    """What is rendered is the envelope, the problem or the page, in the asked-for language."""
    answer = answered(RateLimitError("slow", retry_after=1))

    envelope, problem, page = (
        render(answer, chosen, "fr", "urn:x:{code}")
        for chosen in (Format.ENVELOPE, Format.PROBLEM, Format.HTML)
    )

    assert body_of(envelope) == to_envelope(answer, "fr")
    assert body_of(problem) == to_problem(answer, "fr", "urn:x:{code}")
    assert page.body.decode() == to_html(answer, "fr")


def test_when_nobody_speaks_the_title_and_a_general_sentence_do() -> None:
    """Of a stranger's error the answer has nothing but what it means."""
    answer = answer_to(Reading(UNKNOWN, None), Masking(), record_of(UNKNOWN), {"table": "t"})

    assert (answer.message, answer.errors, answer.details) == ("", (), {})
    assert (answer.retry_after, answer.headers) == (None, ())
    assert to_envelope(answer)["message"] == "Internal server error"


@pytest.mark.parametrize("chosen", Format)
def test_text_that_is_no_unicode_is_rendered(chosen: Format) -> None:
    """A lone surrogate, which UTF-8 cannot hold, does not stop an answer."""
    rendered = render(answered(ValidationError("bad \ud800 text")), chosen)

    assert rendered.body.decode("utf-8")
    if chosen is not Format.HTML:
        assert "bad \ud800 text" in body_of(rendered).values()


@given(st.text(), st.lists(st.text(), max_size=3), st.sampled_from(Format))
def test_any_text_can_be_rendered(message: str, errors: list[str], chosen: Format) -> None:
    """Whatever a raiser says comes out as valid UTF-8, and JSON bodies as valid JSON."""
    rendered = render(answered(ValidationError(message, errors=errors)), chosen)

    assert rendered.body.decode("utf-8")
    if chosen is not Format.HTML:
        assert body_of(rendered)


def test_a_body_speaks_the_callers_language() -> None:
    """Title and general sentences are translated; a raiser's words stay as they are."""
    answer = answered(InternalServerError("boom"))

    english, french = to_envelope(answer, "en"), to_envelope(answer, "fr")

    assert english["message"] != french["message"]
    assert english["errors"] != french["errors"]
    assert to_envelope(answered(ValidationError("as is")), "fr")["message"] == "as is"
    assert 'lang="fr"' in to_html(answer, "fr")
    assert ("Content-Language", "fr") in render(answer, language="fr").headers
    assert ("Content-Language", "en") in render(answer, language="de").headers


@pytest.mark.parametrize("chosen", [Format.ENVELOPE, Format.PROBLEM])
@pytest.mark.parametrize("odd", [float("nan"), float("inf"), object(), {1: {2}}])
def test_details_that_are_no_json_do_not_stop_an_answer(chosen: Format, odd: object) -> None:
    """An answer of a middleware's own making comes out without what cannot be written."""
    details = cast("dict[str, JsonValue]", {"odd": odd})
    answer = replace(answered(ValidationError("m", retry_after=1)), details=details)

    body = body_of(render(answer, chosen))

    assert "m" in body.values()
    assert "odd" not in json.dumps(body)
