"""Rendering: an answer becomes Django's response, in the caller's format and language."""

from django.http import HttpRequest, HttpResponse
from django.template import TemplateDoesNotExist, loader
from django.utils.cache import patch_vary_headers
from django.utils.log import log_response
from django.utils.translation import override

from holdfast.envelope import Answer, Format
from holdfast.statuses import SERVER_ERROR
from holdfast_django.capture import capture
from holdfast_django.catalog import catalog_address
from holdfast_django.current import project_runtime, project_settings
from holdfast_django.languages import language_of

VARY = "Accept, Accept-Language"


def respond(request: HttpRequest, answer: Answer) -> HttpResponse:
    """Return the response for a request whose error was handled."""
    runtime = project_runtime()
    language = language_of(request, runtime)
    accept = request.META.get("HTTP_ACCEPT", "")
    rendered = runtime.render(answer, accept=accept, language=language, catalog=catalog_address)
    page = None
    if rendered.content_type == Format.HTML.value:
        page = _project_page(request, answer, language)
    body = page or rendered.body
    response = HttpResponse(body, content_type=rendered.content_type, status=rendered.status)
    headers = response.headers
    for name, value in rendered.headers:
        headers[name] = value
    if page:  # the project's template is translated, whatever our words are
        headers["Content-Language"] = language
    if "Vary" in headers:
        patch_vary_headers(response, ("Accept", "Accept-Language"))
    else:
        headers["Vary"] = VARY
    if request.method == "HEAD":
        headers["Content-Length"] = str(len(body))
        response.content = b""
    return silence(response)


def silence(response: HttpResponse) -> HttpResponse:
    """Keep Django from logging a response whose error was reported.

    Its line would be a second record of the same error and carry the exception's text and traceback
    unredacted; the setting `FRAMEWORK_LOG` brings it back.
    """
    if not project_settings().framework_log:
        response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001  # how django.utils.log marks its own
    return response


def as_logged(request: HttpRequest, response: HttpResponse, error: Exception) -> HttpResponse:
    """Return the answer to an error, with Django's line about it written where `FRAMEWORK_LOG` asks for that.

    Django itself would write one without the exception, and mails to `ADMINS` would lack it.
    """
    if response.status_code >= SERVER_ERROR and project_settings().framework_log:
        log_response(
            "%s: %s",
            response.reason_phrase,
            request.path,
            response=response,
            request=request,
            exception=error,
        )
    return response


def _project_page(request: HttpRequest, answer: Answer, language: str) -> bytes | None:
    """Return the project's own page for a status, or None when it has none or it is broken.

    `404.html`, `500.html` and so on are given `status`, `code`, `message`, `errors` and `trace_id`;
    what Django itself gives them, `request_path` and `exception`; and `error`, with ours together.
    """
    message, errors = answer.said(language, project_runtime().texts)
    shown = {
        "status": answer.status,
        "code": answer.code,
        "message": message,
        "errors": errors,
        "trace_id": answer.record.trace_id,
    }
    try:
        template = loader.get_template(f"{answer.status}.html")
        context = {"request_path": request.path, "exception": message, "error": shown, **shown}
        with override(language):
            return template.render(context, request).encode()
    except TemplateDoesNotExist:
        return None
    except Exception as failure:  # noqa: BLE001  # a broken error page must not take the answer away
        capture(request, failure, resumable=False)
        return None
