"""Everything known of one handled error, redacted and immutable.

Cheap facts are captured at once, because frames and messages do not outlive the boundary;
whatever is costly to format (a traceback) is made when somebody reads it.
"""

import linecache
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from types import CodeType, TracebackType
from typing import NamedTuple

from holdfast.classify import Classification, as_group, behind, leaves
from holdfast.events import Event, Scalar
from holdfast.lazytext import in_source_language
from holdfast.origin import Origin, nothing
from holdfast.redact import JsonValue, Redactor

MAX_FRAMES = 60
"""Frames kept of one exception: the outermost ten and the innermost fifty."""
MAX_KNOWN_FRAMES = 8192
MAX_CAUSES = 8
MAX_MEMBERS = 20
"""Members of an exception group that are recorded."""
MAX_CHAIN = 100
"""Exceptions of one cause, context and group chain that are looked at."""
_OUTERMOST = 10


class Frame(NamedTuple):
    """One call on the way to the error; without the values of its variables, which may be secret."""

    module: str
    function: str
    filename: str
    line: int
    in_project: bool
    """False for the standard library and for installed packages."""


class Cause(NamedTuple):
    """One exception behind the error, or one member of its group."""

    type: str
    message: str
    relation: str
    """`cause`, `context` or `member`."""
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRecord:
    """One handled error: what happened, where, and what it means. Redacted; safe to keep and send."""

    id: str
    """32 hexadecimal digits, unique to this occurrence."""
    time: datetime
    """Aware, UTC."""
    trace_id: str
    span_id: str
    origin: Origin
    classification: Classification
    type: str
    """Dotted name of the exception's class."""
    message: str
    frames: tuple[Frame, ...]
    fingerprint: str
    """The same for every occurrence with the same code, class and raise site; survives a move of lines."""
    causes: tuple[Cause, ...] = ()
    notes: tuple[str, ...] = ()
    details: Mapping[str, JsonValue] = field(default_factory=nothing)
    fields: Mapping[str, JsonValue] = field(default_factory=nothing)
    """What the application had bound to the piece of work."""
    recovered: bool = False
    """Whether the work went on with a handler's value in the place of the error."""

    def traceback(self, clean: Callable[[str], str] | None = None) -> str:
        """Return the traceback as text, causes first, without values of variables.

        Args:
            clean: Takes secrets out of the source lines; by default the built-in rules.
        """
        return "".join(_traceback_lines(self, clean or _in_source.text))

    def as_json(self) -> dict[str, JsonValue]:
        """Return the facts as a flat dictionary, the shape of log lines; without traceback and frames."""
        said, origin = self.classification, self.origin
        facts: dict[str, JsonValue] = {
            "event": "error.handled",
            "trace_id": self.trace_id,
            "record_id": self.id,
            "code": said.code,
            "kind": said.kind.value,
            "fault": said.fault.value,
            "status": said.status,
            "transient": said.transient,
            "trusted": said.trusted,
            "fingerprint": self.fingerprint,
            "origin": origin.boundary,
            "operation": origin.operation,
            "error_type": self.type,
        }
        facts.update((name, value) for name, value in self._optional_facts() if value)
        return facts

    def _optional_facts(self) -> Iterator[tuple[str, JsonValue]]:
        yield "recovered", self.recovered
        yield "category", self.classification.category
        yield "action", self.classification.action
        yield "effect", self.classification.effect
        yield "path", self.origin.path
        yield "attributes", dict(self.origin.attributes)
        yield "details", dict(self.details)
        yield "fields", dict(self.fields)
        yield "notes", list(self.notes)
        yield (
            "causes",
            [f"{cause.relation}: {cause.type}: {cause.message}" for cause in self.causes],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorHandled(Event):
    """An error reached a boundary and was handled."""

    record: ErrorRecord


def chain(error: BaseException) -> list[tuple[BaseException, str]]:
    """Return an exception and all behind it: causes, contexts, members of groups; each once, at most 100."""
    found = [(error, "")]
    pending = _behind(error)
    if not pending:
        return found
    seen = {id(error)}
    while pending and len(found) < MAX_CHAIN:
        current, relation = pending.pop()
        if id(current) not in seen:
            seen.add(id(current))
            found.append((current, relation))
            pending.extend(_behind(current))
    return found


def _behind(error: BaseException) -> list[tuple[BaseException, str]]:
    found: list[tuple[BaseException, str]] = []
    group = as_group(error)
    if group is not None:
        found = [(member, "member") for member in reversed(group.exceptions[:MAX_MEMBERS])]
    shown = behind(error)
    return found if shown is None else [*found, shown]


def causes_of(linked: Sequence[tuple[BaseException, str]], redactor: Redactor) -> tuple[Cause, ...]:
    """Return what is behind the first exception of a chain, nearest first, redacted."""
    if len(linked) == 1:
        return ()
    limit = MAX_CAUSES if as_group(linked[0][0]) is None else MAX_MEMBERS
    return tuple(_cause(one, relation, redactor) for one, relation in linked[1 : limit + 1])


def _cause(error: BaseException, relation: str, redactor: Redactor) -> Cause:
    text = redactor.text(text_of(error))
    return Cause(type_name(type(error)), text, relation, frames_of(error.__traceback__))


def frames_of(traceback: TracebackType | None) -> tuple[Frame, ...]:
    """Return the frames of a traceback, outermost first; the middle of a very deep one is left out."""
    found: list[Frame] = []
    while traceback is not None:
        # By instruction and not by line: finding out the line is most of the cost.
        code = traceback.tb_frame.f_code
        known = _frames.get((id(code), traceback.tb_lasti))
        found.append(known[1] if known is not None else _remember(code, traceback))
        traceback = traceback.tb_next
    if len(found) > MAX_FRAMES:
        found[_OUTERMOST : len(found) - MAX_FRAMES + _OUTERMOST] = ()
    return tuple(found)


_frames: dict[tuple[int, int], tuple[CodeType, Frame]] = {}
"""Frames seen before; the code object beside each keeps its id from being used again."""


def _remember(code: CodeType, traceback: TracebackType) -> Frame:
    module = str(traceback.tb_frame.f_globals.get("__name__", ""))
    name, file = code.co_qualname, code.co_filename
    frame = Frame(module, name, file, traceback.tb_lineno, _in_project(file))
    if len(_frames) < MAX_KNOWN_FRAMES:
        _frames[id(code), traceback.tb_lasti] = code, frame
    return frame


def text_of(thing: object) -> str:
    """Return the text of an exception or a note; one that cannot say itself does not hide the error."""
    try:
        return in_source_language(thing)
    except KeyboardInterrupt:
        raise
    except BaseException as failure:  # noqa: BLE001  # user code in __str__, an exit included
        return f"<no text: str() raised {type(failure).__name__}>"


def failure_facts(failure: BaseException, redactor: Redactor) -> dict[str, Scalar]:
    """Return what an event says of user code that failed: its class, its message, and where."""
    frames = frames_of(failure.__traceback__)
    place = f"{frames[-1].module}.{frames[-1].function}:{frames[-1].line}" if frames else ""
    message = redactor.text(text_of(failure))
    return {"error_type": type_name(type(failure)), "message": message, "place": place}


def type_name(cls: type) -> str:
    """Return the dotted name of a class; built-in ones without their module."""
    return (
        cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    )


def fingerprint(
    code: str, error: BaseException, frames: tuple[Frame, ...], operation: str = ""
) -> str:
    """Return 16 hexadecimal digits that stay the same for the same error.

    Made of the code, the class and the innermost function of the project itself; of the operation
    where there is no function, because nothing was raised. Neither the message nor a line number
    takes part: both change without the error being another.
    """
    site = frames[-1] if frames else None
    for frame in reversed(frames):
        if frame.in_project:
            site = frame
            break
    name, group = type_name(type(error)), as_group(error)
    if group is None:
        place = () if site or not operation else (operation,)
        return _digest(code, name, site, *place)
    members = sorted({type_name(type(leaf)) for leaf in leaves(group)})
    return _digest(code, name, site, *members)


@lru_cache(maxsize=4096)
def _digest(code: str, cls: str, site: Frame | None, *members: str) -> str:
    place = None if site is None else (site.module, site.function)
    parts = repr((code, cls, place, members)).encode("utf-8", "backslashreplace")
    return blake2b(parts, digest_size=8).hexdigest()


_STDLIB = os.path.normcase(Path(os.__file__).parent) + os.sep
_INSTALLED = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))


@lru_cache(maxsize=4096)
def _in_project(filename: str) -> bool:
    """Tell the project's own files from the standard library and installed packages."""
    normal = os.path.normcase(filename)
    library = normal.startswith((_STDLIB, "<")) or any(part in normal for part in _INSTALLED)
    return not library


def _traceback_lines(record: ErrorRecord, clean: Callable[[str], str]) -> Iterator[str]:
    for cause in reversed(record.causes):
        yield from _one_traceback(cause.type, cause.message, cause.frames, clean)
        yield f"\n({cause.relation} of:)\n\n"
    yield from _one_traceback(record.type, record.message, record.frames, clean)


def _one_traceback(
    kind: str, message: str, frames: tuple[Frame, ...], clean: Callable[[str], str]
) -> Iterator[str]:
    if frames:
        yield "Traceback (most recent call last):\n"
        yield from (_frame_text(frame, clean) for frame in frames)
    # In one line: with line breaks of its own a message could pass for lines of the log.
    said = "\\n".join(message.splitlines())
    yield f"{kind}: {said}\n" if said else f"{kind}\n"


_in_source = Redactor()
"""By the built-in rules: what is written into the source of a program may be a secret too."""


@lru_cache(maxsize=4096)
def _frame_text(frame: Frame, clean: Callable[[str], str]) -> str:
    """Format one frame; cached, because the same few places raise again and again."""
    source = clean(linecache.getline(frame.filename, frame.line).strip())
    place = f'  File "{frame.filename}", line {frame.line}, in {frame.function}\n'
    return f"{place}    {source}\n" if source else place
