"""Answers that are not what was asked for; this module's variable is ambient.

A fallback or a stale value looks like any other answer. Whoever has to know collects what was said
meanwhile, on threads and in tasks alike: an adapter for a header of the response, a cache so as not to
keep the answer, a page to say that its numbers are old.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

MOST: Final = 100
"""Degradations that are kept in one block; a page that makes a thousand calls says enough by these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """One answer that stands in for another."""

    policy: str
    """Name of the policy whose call it answered."""
    source: str
    """Where it comes from: `value`, `stale`, or the name of a function."""
    code: str
    """Code of the error in whose place it stands."""


_collected: ContextVar[list[Degradation] | None] = ContextVar("holdfast_degradations", default=None)


@contextmanager
def collect_degradations() -> Generator[list[Degradation], None, None]:
    """Collect what the answers given inside the block stand in for; at most the first 100.

    It sees the calls of the block, and those of tasks and threads that take its context along; blocks
    may be nested, and the outer one sees what the inner one saw.

    Example:
        >>> from holdfast.resilience.fallback import Fallback
        >>> from holdfast.resilience.policy import Policy
        >>> stock = Policy("stock-degraded", Fallback(value=0))
        >>> with collect_degradations() as degradations:
        ...     stock.call(int, "many")
        0
        >>> [(each.policy, each.source, each.code) for each in degradations]
        [('stock-degraded', 'value', 'INTERNAL_ERROR')]
    """
    outer = _collected.get()
    inner: list[Degradation] = []
    token = _collected.set(inner)
    try:
        yield inner
    finally:
        _collected.reset(token)
        if outer is not None:
            outer.extend(inner[: MOST - len(outer)])


def note_degradation(degradation: Degradation) -> None:
    """Tell whoever collects them."""
    collected = _collected.get()
    if collected is not None and len(collected) < MOST:
        collected.append(degradation)
