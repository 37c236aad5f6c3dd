"""How a scenario is told apart, and what all of them share."""

import logging
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from holdfast import Verdict, work_context
from holdfast.context import WorkContext
from holdfast.handler import Next
from holdfast.origin import ErrorContext

SCENARIOS: dict[str, "Scenario"] = {}


@dataclass(frozen=True)
class Scenario:
    """One error to raise."""

    run: Callable[[], object]
    early: bool
    """Whether it has something to do before the hooks are there."""
    plain: bool
    """Whether it uses nothing of ours, so that it has to run in the same way without our hooks."""


def scenario(
    key: str, *, early: bool = False, plain: bool = True
) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Register a function as the scenario of a row."""

    def register(function: Callable[[], object]) -> Callable[[], object]:
        SCENARIOS[key] = Scenario(function, early, plain)
        return function

    return register


def row(key: str) -> AbstractContextManager[WorkContext]:
    """Begin the piece of work whose id the record of a row has to have."""
    return work_context(f"row-{key}")


def fail(key: str) -> None:
    """Raise an error within the row's piece of work."""
    with row(key):
        raise LookupError(f"no such row: {key}")


def no_core_dumps() -> None:
    """Leave no core file behind when a fatal signal ends the process."""
    import resource  # noqa: PLC0415  # not everywhere

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def end_by(number: signal.Signals) -> None:
    """End this process by a signal, at once."""
    no_core_dumps()
    signal.raise_signal(number)


def chatty(error: BaseException, context: ErrorContext, following: Next) -> Verdict:
    """Log the very error that a pipeline hands on, and one of its own."""
    logger = logging.getLogger("shop.pipeline")
    logger.error("about to handle", exc_info=error)
    try:
        raise OSError("the step's own trouble")
    except OSError:
        logger.exception("while handling")
    return following(error, context)
