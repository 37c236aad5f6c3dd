"""The one handler: every error of the system arrives here, and what becomes of it is decided here.

Boundaries capture an exception, hand it over with its origin, and render the verdict. They never
classify, log, count, alert or decide.
"""

from holdfast.handler.busy import handling
from holdfast.handler.handler import ErrorHandler, Leaving
from holdfast.handler.marks import LOGGED, is_open, verdict_of
from holdfast.handler.pipeline import AsyncMiddleware, AsyncNext, Middleware, Next, SyncMiddleware
from holdfast.handler.recording import MAX_NOTES, bare_answer
from holdfast.handler.recovery import Recovery
from holdfast.handler.routing import Handler, Recovered, Target
from holdfast.handler.verdict import Action, Verdict, last_server_error

__all__ = [
    "LOGGED",
    "MAX_NOTES",
    "Action",
    "AsyncMiddleware",
    "AsyncNext",
    "ErrorHandler",
    "Handler",
    "Leaving",
    "Middleware",
    "Next",
    "Recovered",
    "Recovery",
    "SyncMiddleware",
    "Target",
    "Verdict",
    "bare_answer",
    "handling",
    "is_open",
    "last_server_error",
    "verdict_of",
]
