"""What the handler decided about one error, and what explains the end of a piece of work."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from holdfast.context import current_context
from holdfast.envelope import Answer
from holdfast.record import ErrorRecord
from holdfast.statuses import SERVER_ERROR


class Action(Enum):
    """What a boundary does with an error that was handled."""

    RESPOND = "respond"
    """Answer the caller with `Verdict.answer`."""
    PROPAGATE = "propagate"
    """Let the exception go on: it is control flow, or nobody waits for an answer."""
    RECOVERED = "recovered"
    """Go on with `Verdict.value`, as if nothing had happened."""
    EXIT = "exit"
    """Answer the caller with `Verdict.answer`, as for `RESPOND`: the process leaves, in its own time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the handler decided about one error."""

    action: Action
    record: ErrorRecord | None = None
    """None for control flow, which is no error."""
    answer: Answer | None = None
    value: object = None


PROPAGATED: Final = Verdict(action=Action.PROPAGATE)
"""The verdict about control flow, which is no error."""


def note(verdict: Verdict) -> None:
    """Keep what explains a server error's status, should the work end with one; not a caller's mistake."""
    work = current_context()
    if work is None or work.noted is None or verdict.answer is None:
        return
    if verdict.answer.classification.kind.status >= SERVER_ERROR:
        work.noted[:] = [verdict]


def last_server_error() -> Verdict | None:
    """Return the verdict about the latest server error of the current piece of work, if there was one.

    It explains an answer with such a status even if the code that caught the error went on from it.
    """
    work = current_context()
    noted = work.noted[-1] if work is not None and work.noted else None
    return noted if isinstance(noted, Verdict) else None
