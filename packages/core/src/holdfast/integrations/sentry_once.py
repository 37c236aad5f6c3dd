"""Who told Sentry of an error, and whether it was told already: pure, without Sentry itself."""

import builtins
import sys
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import cast

from holdfast.forks import ForkSafeLock
from holdfast.integrations.sentry_event import part, values_of
from holdfast.record import ErrorRecord, Frame, chain, frames_of, type_name

MAX_TOLD = 1000
"""Errors remembered that Sentry was told of by somebody else."""
FRAMEWORK_MECHANISMS = frozenset({"django", "flask"})
FRAMEWORK_LOGGERS = ("django.request", "django.security")


class Told:
    """Which errors Sentry heard of before our handler saw them: logged, then raised.

    Kept by trace, class and raise site rather than by exception, which would keep its frames alive.
    """

    def __init__(self) -> None:
        self._keys: OrderedDict[tuple[object, ...], None] = OrderedDict()
        self._lock = ForkSafeLock()

    def remember(self, trace_id: str, error: BaseException) -> None:
        """Note an exception and what is behind it."""
        for behind, _ in chain(error):
            key = _key(trace_id, type_name(type(behind)), frames_of(behind.__traceback__))
            if key is not None:
                with self._lock:
                    self._keys[key] = None
                    if len(self._keys) > MAX_TOLD:
                        self._keys.popitem(last=False)

    def knows(self, record: ErrorRecord) -> bool:
        """Tell whether a record is of an exception noted before, or of one raised because of it."""
        if not self._keys:
            return False
        links = [(record.type, record.frames)]
        links += [(cause.type, cause.frames) for cause in record.causes]
        return any(_key(record.trace_id, *link) in self._keys for link in links)


def _key(trace_id: str, name: str, frames: tuple[Frame, ...]) -> tuple[object, ...] | None:
    """Return what stays the same of an exception while it is on its way out."""
    if not trace_id or not frames:
        return None
    return trace_id, name, frames[-1].filename, frames[-1].line


def is_from_framework(event: Mapping[str, object]) -> bool:
    """Tell whether Sentry took an event from the framework, not from a call of the project's."""
    if str(event.get("logger") or "").startswith(FRAMEWORK_LOGGERS):
        return True
    mechanisms = (part(value, "mechanism") for value in values_of(event, "exception"))
    return any(mechanism.get("type") in FRAMEWORK_MECHANISMS for mechanism in mechanisms)


def is_explicit(event: Mapping[str, object]) -> bool:
    """Tell whether the project itself captured an exception: integrations name their mechanism."""
    raised = values_of(event, "exception")
    return bool(raised) and part(raised[-1], "mechanism").get("type", "generic") == "generic"


def error_of(hint: Mapping[str, object]) -> BaseException | None:
    """Return the exception that an event is about, or None when it is about none."""
    info = cast("tuple[object, ...]", hint.get("exc_info") or ())
    return info[1] if len(info) > 1 and isinstance(info[1], BaseException) else None


def is_one_of(type_name: str, classes: Iterable[type | str]) -> bool:
    """Tell whether a recorded class is, or derives from, one of the given; strings are names.

    A record holds the name alone, so the class is looked up; one that was made within a function
    cannot be found, and is compared by its name.
    """
    lineage = _class_of(type_name).__mro__
    names = {type_name, f"builtins.{type_name}", type_name.rpartition(".")[2]}
    return any(
        known in names
        if isinstance(known, str)
        else known in lineage or f"{known.__module__}.{known.__qualname__}" in names
        for known in classes
    )


def _class_of(type_name: str) -> type:
    parts = type_name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        found: object = sys.modules.get(".".join(parts[:cut]))
        for name in parts[cut:]:
            found = getattr(found, name, None)
        if isinstance(found, type):
            return found
    builtin: object = getattr(builtins, type_name, None)
    return builtin if isinstance(builtin, type) else object
