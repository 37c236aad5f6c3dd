"""Capture: an exception and its request become a verdict, remembered on the request.

Nothing here decides; the runtime does.
"""

from dataclasses import replace
from typing import Final

from asgiref.sync import async_to_sync
from django.http import HttpRequest

from holdfast.handler import Action, Verdict
from holdfast.hooks.servers import aborted
from holdfast.origin import Origin, operation_of
from holdfast_django.asynchrony import serves_from_thread
from holdfast_django.current import BOUNDARY, project_runtime
from holdfast_django.statuses import failing
from holdfast_django.users import known_user

_VERDICT: Final = "_holdfast_verdict"
_EXPLAINED: Final = "_holdfast_explained"
_WITNESSED: Final = "_holdfast_witnessed"


def capture(request: HttpRequest, error: BaseException, *, resumable: bool = True) -> Verdict:
    """Hand an exception to the runtime and remember what it decided; never raises.

    Args:
        request: Whose error it is.
        error: The exception.
        resumable: Whether whoever calls answers with a value that a handler recovers with.
    """
    verdict = _handle(request, error, resumable=resumable)
    if verdict.action is not Action.PROPAGATE:
        setattr(request, _VERDICT, verdict)
    return verdict


def witness(request: HttpRequest, error: BaseException) -> None:
    """Hand an exception to the runtime that somebody else answers."""
    setattr(request, _WITNESSED, _handle(request, error, resumable=False))


def witnessed(request: HttpRequest) -> Verdict | None:
    """Return what was decided about an error that somebody else answers, or None when there was none."""
    verdict: Verdict | None = getattr(request, _WITNESSED, None)
    return verdict


def _handle(request: HttpRequest, error: BaseException, *, resumable: bool) -> Verdict:
    abort, origin = aborted(error), origin_of(request)
    if not resumable:
        origin = replace(origin, resumable=False)
    verdict = _answerable(_decided(abort or error, origin))
    if abort is not None:
        project_runtime().flush()  # the worker has a second before it is killed
    return verdict


def _decided(error: BaseException, origin: Origin) -> Verdict:
    """Hand an exception over; where a loop serves the request, its coroutines are awaited there.

    Django takes errors to threads, also under ASGI, where projects may use the database; from there
    the loop can be waited for.
    """
    runtime = project_runtime()
    if runtime.handler.asynchronous and serves_from_thread():
        return async_to_sync(runtime.ahandle)(error, origin)
    return runtime.handle(error, origin)


def _answerable(verdict: Verdict) -> Verdict:
    """Return a verdict that Django can answer with, whatever status a classifier or a step chose."""
    answer = verdict.answer
    if answer is None or failing(answer.status) == answer.status:
        return verdict
    said = replace(answer.classification, status=failing(answer.status))
    return replace(verdict, answer=replace(answer, classification=said))


def captured(request: HttpRequest) -> Verdict | None:
    """Return what was decided about the latest error of a request, or None when there was none."""
    verdict: Verdict | None = getattr(request, _VERDICT, None)
    return verdict


def explain(request: HttpRequest) -> None:
    """Say that a failing status of this request's response is meant, and no error behind it."""
    setattr(request, _EXPLAINED, True)


def explained(request: HttpRequest) -> bool:
    """Tell whether a failing status needs no further explanation."""
    return getattr(request, _VERDICT, None) is not None or getattr(request, _EXPLAINED, False)


def origin_of(request: HttpRequest) -> Origin:
    """Return where a request's error became somebody's answer: the route, never the full address."""
    match = request.resolver_match
    operation = operation_of(request.method, None if match is None else f"/{match.route}")
    user = known_user(request)
    return Origin(
        boundary=BOUNDARY,
        operation=operation,
        path=request.path,
        attributes={"user_id": user} if user else {},
    )
