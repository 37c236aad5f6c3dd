"""What a caller sees of an error: envelope, problem or page, in the caller's language.

An `Answer` holds what may be said, and nothing else; formats only arrange it.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from html import escape
from itertools import islice
from typing import NamedTuple, cast

from holdfast.classify import Classification, Classifier, Reading
from holdfast.codes import ErrorKind, Fault
from holdfast.frozen import constructor_of
from holdfast.language import DEFAULT, SHIPPED, Texts
from holdfast.lazytext import can_be_read_again, in_active_language, read_again, speaking
from holdfast.origin import nothing
from holdfast.record import ErrorRecord
from holdfast.redact import JsonValue, Redactor
from holdfast.statuses import error_of

_GENERAL = {
    ErrorKind.INTERNAL: "An unexpected error occurred",
    ErrorKind.DEPENDENCY_FAILED: "A service this one depends on did not answer as it should",
    ErrorKind.UNAVAILABLE: "The service is temporarily unavailable",
    ErrorKind.TIMED_OUT: "The answer took too long",
}
_LATER = "Please try again in a few minutes"
_MAX_ACCEPT = 500
_MAX_ERRORS = 100
_MAX_SECONDS = 366 * 24 * 3600
_HEADER_NAME = re.compile(r"(?!content-)[a-z0-9!#$%&'*+.^_`|~-]{1,100}", re.IGNORECASE)
_HEADER_VALUE = re.compile(r"[ -~]{0,4000}")


class Format(StrEnum):
    """How an answer is written; the value is its Content-Type."""

    ENVELOPE = "application/json"
    PROBLEM = "application/problem+json"
    HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """What a raiser said in texts that translate themselves; not redacted yet."""

    message: str
    errors: tuple[str, ...]
    details: Mapping[str, object]
    redactor: Redactor

    def read(self, answer: "Answer") -> "Answer":
        """Return the answer with these words in the language that is active."""
        clean = self.redactor
        said = clean.value(read_again(self.details)) if self.details else None
        return replace(
            answer,
            message=clean.text(in_active_language(self.message)),
            errors=tuple(clean.text(in_active_language(text)) for text in self.errors),
            details={**answer.details, **said} if isinstance(said, dict) else answer.details,
            unread=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a caller may know of one error; already redacted."""

    classification: Classification
    record: ErrorRecord
    """Which error this is, and when it was handled."""
    message: str = ""
    """The raiser's words, only when the fault is the caller's; else empty, and the title stands in."""
    errors: tuple[str, ...] = ()
    """The raiser's sentences, at most 100; empty: the message, else what the kind means."""
    details: Mapping[str, JsonValue] = field(default_factory=nothing)
    retry_after: int | None = None
    """Whole seconds, rounded up, at most a year."""
    headers: tuple[tuple[str, str], ...] = ()
    """Response headers that belong to the error, `Retry-After` among them."""
    unread: Unread | None = field(default=None, repr=False, compare=False)
    """Where the raiser's words, which are in the source language above, can be read in another."""

    @property
    def status(self) -> int:
        """HTTP status."""
        return self.classification.status

    @property
    def code(self) -> str:
        """The code, as in the catalogue."""
        return self.classification.code

    def in_language(self, language: str) -> "Answer":
        """Return the answer with the raiser's words in a language, as far as they translate themselves."""
        if self.unread is None:
            return self
        with speaking(language):
            return self.unread.read(self)

    def said(self, language: str, texts: Texts = SHIPPED) -> tuple[str, list[str]]:
        """Return message and errors in a language.

        Args:
            language: A tag such as `fr`.
            texts: Where titles and general sentences are looked up; a runtime's are its `texts`.
        """
        if self.unread is not None:
            return self.in_language(language).said(language, texts)
        translate = texts.translate
        message = self.message or translate(self.classification.title, language) or self.code
        if self.errors:
            return message, list(self.errors)
        if self.message:
            return message, [message]
        general = _GENERAL.get(self.classification.kind)
        if general is None:
            return message, [message]
        return message, [translate(general, language), translate(_LATER, language)]


def fitting(answer: Answer, status: int, classifier: Classifier) -> Answer:
    """Return an answer about the status which leaves; where the error had another, it says no more.

    Args:
        answer: What may be said of the error.
        status: The response's.
        classifier: Says what the status stands for.
    """
    if answer.status == status:
        return answer
    return Answer(classification=classifier.classify(error_of(status)), record=answer.record)


_make_answer = constructor_of(Answer)


class Rendered(NamedTuple):
    """An answer as bytes, ready for any web framework."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...]


def answer_to(
    reading: Reading, redactor: Redactor, record: ErrorRecord, details: Mapping[str, JsonValue]
) -> Answer:
    """Decide what a caller may know.

    Args:
        reading: What the error means, and who speaks to the caller.
        redactor: Cleans what the raiser said.
        record: Says which error this is, and when it was handled.
        details: What may be shown of them, clean.
    """
    said, spoken = reading.classification, reading.spoken
    if spoken is None:
        return _make_answer(classification=said, record=record)
    # Both must say so: a rule may call the caller's what its raiser meant for operators.
    to_caller = said.fault is Fault.CALLER and spoken.fault is Fault.CALLER
    message = spoken.message if to_caller else ""
    errors = tuple(islice(spoken.errors, _MAX_ERRORS))
    retry_after = _whole_seconds(spoken.retry_after)
    return _make_answer(
        classification=said,
        record=record,
        message=redactor.text(message) if message else "",
        errors=tuple(map(redactor.text, errors)),
        details=details,
        retry_after=retry_after,
        headers=_headers(spoken.headers, retry_after),
        unread=_unread(message, errors, spoken.details, redactor),
    )


def _unread(
    message: str, errors: tuple[str, ...], details: Mapping[str, object], redactor: Redactor
) -> Unread | None:
    lazy = can_be_read_again(details)
    if not (lazy or can_be_read_again(message) or any(map(can_be_read_again, errors))):
        return None
    told = details if lazy else nothing()
    # Never the error itself: the answer is kept on it.
    return Unread(message=message, errors=errors, details=told, redactor=redactor)


def _whole_seconds(given: object) -> int | None:
    """Return seconds as HTTP has them; what is no number is left out and takes no answer away."""
    try:
        seconds = float(cast("float", given))
    except OverflowError:
        return _MAX_SECONDS
    except (TypeError, ValueError):
        return None
    if not seconds < math.inf:  # NaN is not, either
        return None
    return math.ceil(min(max(0, seconds), _MAX_SECONDS))


def _headers(given: Mapping[str, str], retry_after: int | None) -> tuple[tuple[str, str], ...]:
    headers = list(_clean_headers(given))
    if retry_after is not None:
        headers = [pair for pair in headers if pair[0].lower() != "retry-after"]
        headers.append(("Retry-After", str(retry_after)))
    return tuple(headers)


def _clean_headers(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the headers that HTTP allows: plain ASCII, no line breaks, not those the format sets."""
    for name, value in headers.items():
        text = str(value).strip()
        if _HEADER_NAME.fullmatch(str(name)) and _HEADER_VALUE.fullmatch(text):
            yield name, text


def to_envelope(
    answer: Answer, language: str = DEFAULT, texts: Texts = SHIPPED
) -> dict[str, JsonValue]:
    """Return the default body of an error."""
    answer = answer.in_language(language)
    message, errors = answer.said(language, texts)
    about: dict[str, JsonValue] = {"type": answer.classification.type, "code": answer.code}
    if answer.details:
        about["details"] = dict(answer.details)
    about["trace_id"] = answer.record.trace_id
    about["timestamp"] = _timestamp(answer.record.time)
    if answer.retry_after is not None:
        about["retry_after"] = answer.retry_after
    said: list[JsonValue] = list(errors)
    return {"success": False, "message": message, "result": None, "errors": said, "except": about}


def to_problem(
    answer: Answer,
    language: str = DEFAULT,
    type_uri: str = "about:blank",
    texts: Texts = SHIPPED,
) -> dict[str, JsonValue]:
    """Return the error as RFC 9457 problem details.

    Args:
        answer: What may be said.
        language: Language of title, detail and errors.
        type_uri: URI of the problem type; `{code}` in it becomes the code.
        texts: Where titles and general sentences are looked up.
    """
    answer = answer.in_language(language)
    message, errors = answer.said(language, texts)
    said: list[JsonValue] = list(errors)
    problem: dict[str, JsonValue] = {
        "type": type_uri.replace("{code}", answer.code),
        "title": texts.translate(answer.classification.title, language),
        "status": answer.status,
        "detail": message,
        "instance": f"urn:uuid:{_dashed(answer.record.id)}",
        "code": answer.code,
        "errors": said,
        "trace_id": answer.record.trace_id,
        "timestamp": _timestamp(answer.record.time),
    }
    if answer.details:
        problem["details"] = dict(answer.details)
    if answer.retry_after is not None:
        problem["retry_after"] = answer.retry_after
    return problem


def to_html(answer: Answer, language: str = DEFAULT, texts: Texts = SHIPPED) -> str:
    """Return a plain page without styles or scripts, so that any content security policy allows it."""
    message, errors = answer.said(language, texts)
    title = texts.translate(answer.classification.title, language)
    items = "".join(f"<li>{escape(text)}</li>" for text in errors if text != message)
    return (
        f'<!doctype html>\n<html lang="{escape(_spoken_in(answer, language, texts))}"><head><meta charset="utf-8">'
        f"<title>{answer.status} {escape(title)}</title></head><body><main>"
        f"<h1>{answer.status} {escape(title)}</h1><p>{escape(message)}</p>"
        f"{f'<ul>{items}</ul>' if items else ''}"
        f"<p><code>{escape(answer.code)}</code> <code>{escape(answer.record.trace_id)}</code></p>"
        "</main></body></html>\n"
    )


def _spoken_in(answer: Answer, language: str, texts: Texts) -> str:
    """Return the language that the words have: the source's where nobody has translated any."""
    if language == DEFAULT:
        return language
    title = answer.classification.title
    is_translated = texts.translate(title, language) != texts.translate(title)
    return language if is_translated or _says_otherwise(answer, language, texts) else DEFAULT


def _says_otherwise(answer: Answer, language: str, texts: Texts) -> bool:
    there, here = answer.in_language(language), answer.in_language(DEFAULT)
    same_details = answer.unread is None or there.details == here.details
    return not same_details or there.said(language, texts) != here.said(DEFAULT, texts)


def render(
    answer: Answer,
    chosen: Format = Format.ENVELOPE,
    language: str = DEFAULT,
    type_uri: str = "about:blank",
    texts: Texts = SHIPPED,
) -> Rendered:
    """Write an answer in a format and language, with the headers that belong to it.

    Details that are no JSON, which only an answer of one's own making can have, are left out.
    """
    try:
        body = _body(answer, chosen, language, type_uri, texts)
    except (TypeError, ValueError, RecursionError):  # details of a middleware's making
        body = _body(replace(answer, details={}, unread=None), chosen, language, type_uri, texts)
    headers = (*answer.headers, ("Content-Language", _spoken_in(answer, language, texts)))
    return Rendered(answer.status, chosen.value, body, headers)


def _body(answer: Answer, chosen: Format, language: str, type_uri: str, texts: Texts) -> bytes:
    if chosen is Format.HTML:
        return to_html(answer, language, texts).encode("utf-8", "replace")
    if chosen is Format.PROBLEM:
        data = to_problem(answer, language, type_uri, texts)
    else:
        data = to_envelope(answer, language, texts)
    return _to_json(data).encode("utf-8", "backslashreplace")


_to_json: Callable[[object], str] = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
).encode


def negotiate(accept: str, default: Format = Format.ENVELOPE, *, html: bool = True) -> Format:
    """Return the format a caller prefers by `Accept`.

    JSON stands for whatever the caller did not ask for: HTML is chosen only when it is preferred
    to JSON, problem details when they are named and not less wanted than plain JSON.

    Example:
        >>> negotiate("*/*").name, negotiate("text/html,application/xml;q=0.9,*/*;q=0.8").name
        ('ENVELOPE', 'HTML')
        >>> negotiate("application/problem+json, application/json;q=0.5").name
        'PROBLEM'
    """
    if not accept or accept == "*/*":
        return default
    return _negotiate(accept[:_MAX_ACCEPT], default, html)


@lru_cache(maxsize=512)
def _negotiate(accept: str, default: Format, html: bool) -> Format:  # noqa: FBT001  # positional for the cache
    weights = dict(_weights(accept))
    anything = weights.get("*/*", 0.0)
    some_application = weights.get("application/*", anything)
    envelope = weights.get("application/json", some_application)
    problem = weights.get("application/problem+json", 0.0)
    page = max(weights.get("text/html", 0.0), weights.get("application/xhtml+xml", 0.0))
    if html and page > max(envelope, problem):
        return Format.HTML
    tied_with_named_json = problem == envelope and "application/json" in weights
    if problem and problem >= envelope and not tied_with_named_json:
        return Format.PROBLEM
    return default


def prefers_json(accept: str) -> bool:
    """Tell whether a caller names JSON, and wants HTML no more than that: not a browser, but a program.

    Example:
        >>> prefers_json("application/json, text/plain, */*"), prefers_json("*/*")
        (True, False)
    """
    weights = dict(_weights(accept[:_MAX_ACCEPT]))
    page = max(weights.get("text/html", 0.0), weights.get("application/xhtml+xml", 0.0))
    named = max(weights.get("application/json", 0.0), weights.get("application/*", 0.0))
    return named > 0 and named >= page


def _weights(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            weight = float(quality)
        except ValueError:
            continue
        yield media, weight if 0.0 <= weight <= 1.0 else 0.0


def _timestamp(time: datetime) -> str:
    return f"{time.isoformat(timespec='seconds')[:19]}Z"


def _dashed(record_id: str) -> str:
    return "-".join(
        (record_id[:8], record_id[8:12], record_id[12:16], record_id[16:20], record_id[20:])
    )
