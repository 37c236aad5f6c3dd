"""Marks on exceptions that were handled, by which each is recorded once."""

from typing import Final

from holdfast.classify import as_group, leaves
from holdfast.context import current_context
from holdfast.errors import MARK
from holdfast.handler.recording import Linked
from holdfast.handler.verdict import PROPAGATED, Action, Verdict
from holdfast.record import ErrorRecord, chain

LOGGED: Final = "log"
"""Boundary of errors that somebody logged; the same error may yet reach a boundary that decides."""


class Mark:
    """Put on an exception that was handled; it does not travel to other processes.

    It holds within the piece of work that the exception was handled in, and those around it: an
    exception may be an object that is raised again and again. A handler's mark keeps those of other
    handlers, which belong to other applications.
    """

    __slots__ = ("before", "handler", "spans", "verdict")

    def __init__(self, handler: object, verdict: Verdict, before: object) -> None:
        work = current_context()
        self.spans = () if work is None else (work.span_id, *work.within)
        self.handler = handler
        self.verdict = verdict
        self.before = before

    def holds(self) -> bool:
        """Tell whether the present piece of work is one that the mark was put on in; or none is."""
        work = current_context()
        return work is None or work.span_id in self.spans

    def __reduce__(self) -> tuple[object, ...]:
        return Mark, (None, PROPAGATED, None)


def is_open(settled: Verdict, boundary: str) -> bool:
    """Tell whether a boundary has still to decide.

    The error was only logged before it came there, or another boundary went on from it and somebody
    raised it again: that one's value is no answer here.
    """
    record = settled.record
    if record is None or record.origin.boundary == boundary:
        return False
    if settled.action is Action.RECOVERED:
        return boundary != LOGGED
    return record.origin.boundary == LOGGED


def is_only_logged(record: ErrorRecord, boundary: str) -> bool:
    """Tell whether a record was made when its error was logged, and this boundary is another."""
    return record.origin.boundary == LOGGED != boundary


def verdict_of(error: BaseException) -> Verdict | None:
    """Return what any handler of this process has decided about the very exception in the work at hand, or None."""
    mark: object = error.__dict__.get(MARK)
    while isinstance(mark, Mark):
        if mark.handler is not None and mark.holds():
            return mark.verdict
        mark = mark.before
    return None


def settled_by(handler: object, error: BaseException) -> Verdict | None:
    """Return what a handler decided about the very exception before."""
    # Not by `getattr`: what a class does with unknown names is its own business.
    mark: object = error.__dict__.get(MARK)
    while isinstance(mark, Mark):
        if mark.handler is handler and mark.holds():
            return mark.verdict
        mark = mark.before
    return None


def mark(
    handler: object,
    error: BaseException,
    verdict: Verdict,
    instead_of: Verdict | None = None,
) -> None:
    """Let the exception, unless that was decided before, give this verdict when it comes again.

    Args:
        handler: Whose verdict it is.
        error: The exception.
        verdict: What it gives.
        instead_of: A verdict of before that was for the meantime.
    """
    try:
        newest: object = error.__dict__.get(MARK)
        if newest is None and instead_of is None:
            error.__dict__[MARK] = Mark(handler, verdict, None)
            return
        if isinstance(newest, Mark) and newest.verdict is verdict and newest.handler is handler:
            return
        settled = settled_by(handler, error)
        if (
            settled is None
            or settled is instead_of
            or (verdict.record and is_open(settled, verdict.record.origin.boundary))
        ):
            error.__dict__[MARK] = Mark(handler, verdict, _others(handler, error))
    except Exception:  # noqa: BLE001, S110  # a class may hide its attributes
        pass


def _others(handler: object, error: BaseException) -> object:
    """Return the newest mark of another handler, or None."""
    mark: object = error.__dict__.get(MARK)
    while isinstance(mark, Mark) and mark.handler is handler:
        mark = mark.before
    return mark


def earlier(handler: object, linked: Linked) -> ErrorRecord | None:
    """Return the record of an exception in the same chain that was handled before.

    A group counts as handled when all of its members are: one that is not may be another error.
    """
    group = as_group(linked[0][0])
    if group is not None and not all(earlier(handler, chain(leaf)) for leaf in leaves(group)):
        return None
    for behind, _ in linked:
        settled = settled_by(handler, behind)
        if settled is not None:
            return settled.record
    return None
