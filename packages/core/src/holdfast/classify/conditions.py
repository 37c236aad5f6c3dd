"""What a rule may ask of an exception: each condition has a name, and none of them raises."""

import re
from collections.abc import Callable, Collection, Iterator
from fnmatch import translate
from typing import Final, TypeAlias

from holdfast.errors import AppError

MAX_MESSAGE: Final = 1000
"""Characters of a message that are searched."""

Condition: TypeAlias = Callable[[BaseException], bool]

_STATUSES: Final = ("status_code", "status", "code")
_UNBOUNDED: Final = re.compile(r"[*+]|\{\d*,\}")
_REPEATED: Final = re.compile(r"[*+]|\{\d*,\}|\{(?:\d*,)?0*[1-9]\d+\}")
FOREVER: Final = "repeats what itself repeats or has alternatives, and could take for ever"
"""What is wrong with a pattern of that kind."""
INSTEAD: Final = "write (a|b)* as [ab]*, or repeat at most 9 times: (one|two){1,9}"
"""How to write one that is taken."""


def holds_for_code(pattern: str) -> Condition:
    """Ask whether an `AppError`'s code looks like a pattern such as `DB_*`."""
    search = re.compile(translate(pattern)).match
    return lambda error: isinstance(error, AppError) and search(str(error.code)) is not None


def holds_for_message(pattern: str) -> Condition:
    """Ask whether a regular expression is found in the first 1000 characters of the message."""
    search = re.compile(pattern).search
    return lambda error: search(message_of(error)) is not None


def holds_for_errno(numbers: int | Collection[int]) -> Condition:
    """Ask whether the operating system's number of an `OSError` is one of these."""
    wanted = _numbers(numbers)
    return lambda error: isinstance(error, OSError) and error.errno in wanted


def holds_for_status(statuses: int | Collection[int]) -> Condition:
    """Ask whether an exception carries one of these HTTP statuses."""
    wanted = _numbers(statuses)
    return lambda error: carried_status(error) in wanted


def carried_status(error: BaseException) -> int | None:
    """Return the HTTP status that an exception of any library carries, or None.

    Read are, in this order: `response.status_code` (httpx, requests, werkzeug), `upstream_status`
    (`DependencyError`), `status_code` (Django REST framework), `status` (aiohttp, `http.client`'s
    response), and `code` (urllib, werkzeug).
    """
    response = attribute_of(error, "response")
    places = [(response, "status_code"), (response, "status")] if response is not None else []
    names = ["upstream_status", *(() if isinstance(error, AppError) else _STATUSES)]
    for owner, name in (*places, *((error, name) for name in names)):
        found = attribute_of(owner, name)
        if isinstance(found, int) and 100 <= found <= 599:  # noqa: PLR2004  # RFC 9110, 15
            return int(found)
    return None


def message_of(error: BaseException) -> str:
    """Return the beginning of an exception's message, empty when it cannot be had."""
    try:
        return str(error)[:MAX_MESSAGE]
    except Exception:  # noqa: BLE001  # a stranger's class
        return ""


def may_take_forever(pattern: str) -> bool:
    """Tell whether a regular expression repeats what itself repeats without bound, or has alternatives.

    Such a pattern (`(a+)+b`, `(a|aa)+b`) takes time without bound on a text made for it. A repetition
    of at most 9 times is none here.
    """
    doubtful, ended = [False], False
    for token in _tokens(pattern):
        if token == "(":  # noqa: S105  # of a pattern
            doubtful.append(False)
        elif token == "|":  # noqa: S105  # of a pattern
            doubtful[-1] = True
        elif token == ")" and len(doubtful) > 1:  # noqa: S105  # of a pattern
            ended = doubtful.pop()
            doubtful[-1] = doubtful[-1] or ended
            continue
        elif _REPEATED.fullmatch(token):
            if ended:
                return True
            doubtful[-1] = doubtful[-1] or _UNBOUNDED.fullmatch(token) is not None
        ended = False
    return False


def _tokens(pattern: str) -> Iterator[str]:
    """Yield what a pattern consists of, a set of characters and an escape as one."""
    parts = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{\d*,?\d*\}|.", re.DOTALL)
    yield from parts.findall(pattern)


def _numbers(numbers: int | Collection[int]) -> frozenset[int]:
    return frozenset((numbers,) if isinstance(numbers, int) else numbers)


def attribute_of(owner: object, name: str) -> object:
    """Return what a stranger's object says of itself, or None when it cannot be had."""
    try:
        found: object = getattr(owner, name, None)
    except Exception:  # noqa: BLE001  # httpx's raise when nothing was set
        return None
    return found
