"""From a recovered value to a response: what a view of Django cannot return is turned into what it can."""

from dataclasses import replace
from typing import cast

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from holdfast.handler import Action, Verdict
from holdfast.record import type_name
from holdfast_django.capture import origin_of
from holdfast_django.current import project_runtime

_NO_CONTENT = 204
_UNFIT = "_holdfast_unfit"


def recovered(request: HttpRequest, verdict: Verdict) -> HttpResponseBase | None:
    """Return the response that a recovered value is, or None when the error is to be answered.

    A response is that response; a dict or a list becomes JSON, a text the body of a page, None an
    empty answer with status 204. Anything else is a mistake of the handler's: it is recorded, and
    the error is answered.
    """
    if verdict.action is not Action.RECOVERED or getattr(request, _UNFIT, None) is verdict:
        return None
    value = verdict.value
    if isinstance(value, HttpResponseBase):
        return value
    if value is None:
        return HttpResponse(status=_NO_CONTENT)
    try:
        return _made_of(value)
    except (TypeError, ValueError, RecursionError) as unfit:
        setattr(request, _UNFIT, verdict)
        origin = replace(origin_of(request), resumable=False)
        project_runtime().handle(unfit, origin)
        return None


def _made_of(value: object) -> HttpResponse:
    if isinstance(value, str | bytes):
        return HttpResponse(value)
    if isinstance(value, (dict, list)):
        return JsonResponse(cast("object", value), safe=False)
    kind = type_name(type(value))
    raise TypeError(f"a handler recovered with a value of {kind}, which is no response")
