"""The steps before classification: user code that enriches, replaces or stops."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from holdfast.handler.complaints import complain
from holdfast.handler.verdict import Verdict
from holdfast.origin import Origin

Next: TypeAlias = Callable[[BaseException, Origin], Verdict]
Middleware: TypeAlias = Callable[[BaseException, Origin, Next], Verdict]
"""A step before classification: enriches, replaces the error, or stops with a verdict of its own."""


def compose(middleware: Iterable[Middleware], last: Next) -> Next:
    """Return the steps as one; the first is outermost."""
    step = last
    for outer in reversed(tuple(middleware)):
        step = _guarded(outer, step)
    return step


def _guarded(outer: Middleware, step: Next) -> Next:
    """Make one step; a middleware that raises is passed over, its failure noted on standard error."""

    def guarded(error: BaseException, origin: Origin) -> Verdict:
        decided: list[Verdict] = []

        def following(error: BaseException, origin: Origin) -> Verdict:
            decided.append(step(error, origin))
            return decided[-1]

        try:
            return _checked(outer(error, origin, following))
        except Exception as failure:  # noqa: BLE001  # user code must not hide the error
            name = getattr(outer, "__qualname__", type(outer).__qualname__)
            complain(f"middleware {name} raised {type(failure).__name__}")
            return decided[-1] if decided else step(error, origin)

    return guarded


def _checked(verdict: object) -> Verdict:
    if isinstance(verdict, Verdict):
        return verdict
    raise TypeError(f"a middleware must return a Verdict, not {type(verdict).__name__}")
