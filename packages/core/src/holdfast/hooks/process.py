"""Who is told of what no boundary saw; this module's variables are global state, as the hooks are.

A hook belongs to the process, a runtime to an application. The hooks are put in place with the
first runtime that asks for them, taken out with the last, and tell the runtime of the work at hand,
else the one that asked most recently.
"""

import importlib
import threading
import weakref
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol, cast

from holdfast import environment
from holdfast.classify import Classifier, default_classifier
from holdfast.complaints import complain
from holdfast.context import WorkContext, current_context, end, left_by, resume
from holdfast.environment import Environment
from holdfast.handler import ErrorHandler, Verdict, is_open, verdict_of
from holdfast.hooks.servers import located
from holdfast.origin import Origin
from holdfast.record import chain
from holdfast.reporting.statistics import ErrorStatistics


class Hook(Protocol):
    """One place of the interpreter where errors come up."""

    def install(self) -> None:
        """Listen; what listened before keeps being called. Called again for every further runtime."""
        ...

    def uninstall(self) -> None:
        """Stop listening, and put back what was there unless somebody came in between."""
        ...


HOOKS = {
    "uncaught": "holdfast.hooks.uncaught",
    "logging": "holdfast.hooks.bridge",
    "processes": "holdfast.hooks.children",
    "asyncio": "holdfast.hooks.loops",
    "faults": "holdfast.hooks.faults",
    "sigterm": "holdfast.hooks.leaving.sigterm",
}
"""Homes of the hooks by the name of the setting that asks for them; each has one named `hook`."""


class _PassedOn(threading.local):
    """What this thread is passing on to a hook that was there before ours."""

    error: BaseException | None = None


passed_on = _PassedOn()
"""Was handed over already: should the other hook log it, that is no second error."""


_owners: dict[str, "weakref.WeakSet[Environment]"] = {}
_latest: list["weakref.ref[Environment]"] = []


def attach(owner: Environment, names: Iterable[str]) -> None:
    """Put hooks in place for a runtime; those in place already stay as they are."""
    _latest[:] = [known for known in _latest if known() not in (None, owner)]
    _latest.append(weakref.ref(owner))
    for name in names:
        _owners.setdefault(name, weakref.WeakSet()).add(owner)
        _hook(name).install()


def detach(owner: Environment) -> None:
    """Take out the hooks that no other runtime asked for; harmless when nothing is attached."""
    _latest[:] = [known for known in _latest if known() not in (None, owner)]
    for name, owners in _owners.items():
        if owner in owners:
            owners.discard(owner)
            if not owners:
                _hook(name).uninstall()


def detach_all() -> None:
    """Take out every hook, whoever asked for it; for tests."""
    for owner in attached():
        detach(owner)


def attached() -> list[Environment]:
    """Return the runtimes that are in charge of this process, the latest last."""
    return [owner for known in _latest if (owner := known()) is not None]


def responsible() -> Environment | None:
    """Return the runtime of the work at hand, else the latest that asked for hooks, or None."""
    found = environment.found()
    return next(reversed(attached()), None) if found is None else found


def count_request(owner: Environment | None) -> None:
    """Count a piece of work that begins: a task, a run, a message; None when nobody is responsible."""
    statistics: object = getattr(owner, "statistics", None)
    if isinstance(statistics, ErrorStatistics):
        statistics.request()


def responsible_classifier() -> Classifier:
    """Return the classifier of the runtime that is responsible, or the built-in one where there is none."""
    handler: object = getattr(responsible(), "handler", None)
    found: object = getattr(handler, "classifier", None)
    return found if isinstance(found, Classifier) else default_classifier()


def capture(error: BaseException, origin: Origin, *, resumable: bool = False) -> Verdict | None:
    """Hand over what a hook saw; None when nobody is responsible. Never raises, even at the end of the interpreter.

    The record belongs to the innermost piece of work that the exception left on its way here.

    Args:
        error: The exception.
        origin: Where it was seen.
        resumable: Whether whoever calls goes on with a value in its place.
    """
    if not resumable:
        origin = replace(origin, resumable=False)
    try:
        left = _left(error)
        if left is None:
            return _hand_over(error, origin)
        token = resume(left)
        try:
            return _hand_over(error, origin)
        finally:
            end(token)
    except Exception as failure:  # noqa: BLE001  # whoever called the hook must not see this
        complain(f"a hook raised {type(failure).__name__}")
        return None


def _hand_over(error: BaseException, origin: Origin) -> Verdict | None:
    """Leave an error to the runtime of the work at hand, unless that of another application has handled it."""
    owner = responsible()
    if owner is None:
        return None
    known = verdict_of(error)
    if known is not None and not (is_open(known, origin.boundary) and _saw(owner, error)):
        return known
    return owner.handle(error, located(error, origin))


def _saw(owner: Environment, error: BaseException) -> bool:
    handler: object = getattr(owner, "handler", None)
    return isinstance(handler, ErrorHandler) and handler.saw(error)


def _left(error: BaseException) -> WorkContext | None:
    """Return the work that an exception, or one behind it, left within the work at hand."""
    here = current_context()
    for behind, _ in chain(error):
        left = left_by(behind)
        if left is not None and (here is None or here.span_id in (left.span_id, *left.within)):
            return left
    return None


def hide_frame(error: BaseException) -> None:
    """Take the frame that calls this, while it handles an exception, out of the exception's traceback.

    With a bare `raise` after it nobody sees that the exception passed here.
    """
    if error.__traceback__ is not None:
        error.__traceback__ = error.__traceback__.tb_next


def _hook(name: str) -> Hook:
    return cast("Hook", importlib.import_module(HOOKS[name]).hook)
