"""What is an error at all: control flow is none, a group is its members, and others may be behind it."""

from collections.abc import Iterator
from itertools import islice
from typing import cast

MAX_GROUP_LEAVES = 200
"""Members of an exception group that are looked at."""

CONTROL_FLOW: tuple[type[BaseException], ...] = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""With `asyncio.CancelledError`, what is no error; see `is_control_flow`."""


def is_control_flow(error: BaseException) -> bool:
    """Tell whether an exception is no error: an exit, an interrupt, a closed generator, a cancellation."""
    if isinstance(error, Exception) and not isinstance(error, BaseExceptionGroup):
        return False
    group = as_group(error)
    if group is not None:
        # Of all of them: after 200 cancellations there may be an error.
        return all(is_control_flow(leaf) for leaf in _leaves(group))
    # By name, so that importing the suite does not import asyncio.
    cancelled = any(cls.__name__ == "CancelledError" for cls in type(error).__mro__)
    return cancelled or isinstance(error, CONTROL_FLOW)


def as_group(error: BaseException) -> BaseExceptionGroup[BaseException] | None:
    """Return the exception when it is a group, else None."""
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error)
    return None


def leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """Yield the members of a group and of the groups in it, at most 200."""
    yield from islice(_leaves(group), MAX_GROUP_LEAVES)


def behind(error: BaseException) -> tuple[BaseException, str] | None:
    """Return the exception that a traceback shows above one, and whether it is its cause or its context."""
    if error.__cause__ is not None:
        return error.__cause__, "cause"
    if error.__context__ is not None and not error.__suppress_context__:
        return error.__context__, "context"
    return None


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    pending: list[BaseException] = [group]
    while pending:
        current = pending.pop()
        inner = as_group(current)
        if inner is None:
            yield current
        else:
            pending.extend(reversed(inner.exceptions))
