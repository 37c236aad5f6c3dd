"""What the code of the current request has handled; this module's one variable is global state.

A view may keep an error for itself (`error_boundary(reraise=False)`) and answer 503 in its own words:
then the error explains the answer, and the answer is no second event.
"""

from contextvars import ContextVar, Token
from typing import TypeAlias

from holdfast.handler import Verdict
from holdfast.record import Origin
from holdfast.runtime import Runtime
from holdfast.statuses import SERVER_ERROR
from holdfast_django.statuses import failing

# A list, because a view may run in a thread, with a copy of the context.
_Noted: TypeAlias = list[Verdict]

_noted: ContextVar[_Noted | None] = ContextVar("holdfast_django_handled", default=None)


class RequestRuntime(Runtime):
    """A runtime that notes what was handled within a request, by blocks of the project's code too."""

    def handle(self, error: BaseException, origin: Origin) -> Verdict:
        """Decide about an exception that reached a boundary; never raises."""
        verdict = super().handle(error, origin)
        noted = _noted.get()
        # A caller's error is no reason for the answer of a server's.
        if noted is not None and verdict.answer and failing(verdict.answer.status) >= SERVER_ERROR:
            noted[:] = [verdict]
        return verdict


def note_errors() -> Token[_Noted | None]:
    """Note the errors of one request from now on; returns what `forget_errors` needs."""
    return _noted.set([])


def forget_errors(token: Token[_Noted | None]) -> None:
    """End what `note_errors` began."""
    _noted.reset(token)


def last_handled() -> Verdict | None:
    """Return what was decided about the latest server error of the current request, if any."""
    noted = _noted.get()
    return noted[-1] if noted else None
