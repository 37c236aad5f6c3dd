"""Answers as responses of Flask, in the format and language of the request."""

import sys
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import Response, current_app, render_template, request
from jinja2 import TemplateNotFound

from holdfast.envelope import Answer, Format, Rendered
from holdfast.lazytext import speaking
from holdfast.runtime import Runtime
from holdfast_flask.capture import PAGE, origin
from holdfast_flask.languages import Languages

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_VARY = ("Accept", "Accept-Language")
_MAX_LINKED = 100


class Responder:
    """Writes answers for the callers of one application.

    Args:
        runtime: The application's.
        catalog_prefix: Path of the pages of codes, without a slash at its end; None: there are none.
    """

    def __init__(self, runtime: Runtime, catalog_prefix: str | None = None) -> None:
        self._runtime = runtime
        self._catalog_prefix = catalog_prefix
        self._languages = Languages(runtime.settings)

    def render(self, answer: Answer, environ: "WSGIEnvironment") -> Rendered:
        """Return an answer as bytes, with every header but those of the trace."""
        language = self._languages.choose(environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        return self._render(answer, environ, language)

    def _render(self, answer: Answer, environ: "WSGIEnvironment", language: str) -> Rendered:
        rendered = self._runtime.render(
            answer,
            accept=environ.get("HTTP_ACCEPT", ""),
            language=language,
            catalog=partial(self._catalog, environ),
        )
        return rendered._replace(headers=tuple(_with_vary(rendered.headers)))

    def _catalog(self, environ: "WSGIEnvironment") -> str:
        """Return the path of the pages of codes, below where the application is mounted."""
        if self._catalog_prefix is None:
            return ""
        mounted = quote(environ.get("SCRIPT_NAME", "").rstrip("/").encode("latin-1", "replace"))
        return f"{mounted}{self._catalog_prefix}/"

    def respond(self, answer: Answer) -> Response:
        """Return the response to the current request."""
        environ = request.environ
        language = self._languages.choose(environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        rendered = self._render(answer, environ, language)
        page = self._page(answer, language) if rendered.content_type == Format.HTML else None
        if page:  # the project's template is translated, whatever our words are
            rendered = rendered._replace(body=page, headers=tuple(_in(language, rendered.headers)))
        body = rendered.body
        headers = [
            *rendered.headers,
            ("Content-Type", rendered.content_type),
            ("Content-Length", str(len(body))),
        ]
        # As a list and with its length, so that nothing has to be found out again.
        return current_app.response_class([body], rendered.status, headers)

    def fill(self, response: Response, answer: Answer) -> Response:
        """Give a body to a response that has none, and leave its status and headers."""
        ours = self.respond(answer)
        response.response = ours.response
        for name, value in ours.headers:
            if name.startswith("Content-") or name not in response.headers:
                response.headers[name] = value
        return response

    def _page(self, answer: Answer, language: str) -> bytes | None:
        """Return the project's own page for the status, or None when there is none or it is broken."""
        name, behind = f"{answer.status}.html", sys.exception()
        message, errors = answer.said(language, self._runtime.texts)
        try:
            with speaking(language):
                page = render_template(
                    name,
                    status=answer.status,
                    code=answer.code,
                    message=message,
                    errors=errors,
                    trace_id=answer.record.trace_id,
                )
        except Exception as failure:  # noqa: BLE001  # a broken page must not take the answer away
            if not isinstance(failure, TemplateNotFound) or failure.name != name:
                self._runtime.handle(_apart(failure, behind), origin(PAGE))
            return None
        return page.encode("utf-8", "replace")


def _in(language: str, headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    yield from (pair for pair in headers if pair[0] != "Content-Language")
    yield "Content-Language", language


def _apart(failure: Exception, behind: BaseException | None) -> Exception:
    """Return a failure without the error that was being answered: that one is recorded already."""
    linked: BaseException | None = failure
    for _ in range(_MAX_LINKED):
        if linked is None or linked.__context__ is behind:
            break
        linked = linked.__context__
    if linked is not None:
        linked.__context__ = None
    return failure


def _with_vary(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield headers with what the answer depends on added to `Vary`."""
    vary: list[str] = list(_VARY)
    for name, value in headers:
        if name.lower() == "vary":
            vary.extend(tag.strip() for tag in value.split(",") if tag.strip() not in vary)
        else:
            yield name, value
    yield "Vary", ", ".join(vary)
