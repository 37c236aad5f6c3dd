"""Who decided what an exception means: for people, and as data; no message of it is quoted."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from holdfast.classify.classification import Classification, Reading
from holdfast.classify.groups import as_group, behind, is_control_flow, leaves
from holdfast.classify.partial import Partial, facts_of_classification
from holdfast.codes import Severity
from holdfast.redact import JsonValue

MAX_MEMBERS: Final = 20
"""Members of a group that are explained, and exceptions behind one."""

_SILENT: Final = frozenset({"title"})
"""Fields that are not shown: a title is written for callers, in their language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One function or rule that was asked."""

    source: str
    outcome: Literal["decided", "declined", "failed"]
    fields: tuple[str, ...] = ()
    """What it settled, that nobody had before."""
    reason: str = ""
    """Which condition did not hold, or the class of what it raised."""

    @classmethod
    def of(
        cls,
        source: str,
        answer: Classification | Reading | Partial | Mapping[str, object] | None,
        settled: Mapping[str, object],
        reason: str = "",
    ) -> "Note":
        """Note an answer.

        Args:
            source: Who gave it.
            answer: What was said; None when nothing was.
            settled: What others had settled before.
            reason: Which condition did not hold.
        """
        if answer is None:
            return cls(source=source, outcome="declined", reason=reason)
        names = (name for name in _names(answer) if name not in settled and name not in _SILENT)
        return cls(source=source, outcome="decided", fields=tuple(names))

    @classmethod
    def failed(cls, source: str, failure: Exception) -> "Note":
        """Note that somebody who was asked raised something."""
        return cls(source=source, outcome="failed", reason=type(failure).__qualname__)


Journal: TypeAlias = list[Note]
Read: TypeAlias = Callable[[BaseException, Journal], Reading]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What one exception means and why."""

    error: str
    """The exception's class."""
    classification: Classification | None
    """None for control flow, which is no error."""
    notes: tuple[Note, ...] = ()
    """Who was asked, in order; empty for a group, which is read by its gravest member."""
    members: tuple["Explanation", ...] = ()
    """Those of a group, at most 20; the gravest first."""
    behind: tuple["Explanation", ...] = ()
    """The exceptions behind it, at most 20, each as if it had come alone."""

    def as_data(self) -> dict[str, JsonValue]:
        """Return it as what JSON can hold."""
        return {
            "error": self.error,
            "classification": None if self.classification is None else _shown(self.classification),
            "decided": {**self.decided()},
            "notes": [
                {
                    "source": note.source,
                    "outcome": note.outcome,
                    "fields": [*note.fields],
                    "reason": note.reason,
                }
                for note in self.notes
            ],
            "members": [member.as_data() for member in self.members],
            "behind": [cause.as_data() for cause in self.behind],
        }

    def decided(self) -> dict[str, str]:
        """Return by field who settled it."""
        return {field: note.source for note in self.notes for field in note.fields}

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """Yield it line by line, as people read it."""
        if self.classification is None:
            yield f"{self.error}: control flow, no error"
            return
        yield f"{self.error}: {self.classification.code}, status {self.classification.status}"
        facts = _shown(self.classification)
        for note in self.notes:
            yield f"  {note.source}: {_outcome(note, facts)}"
        for heading, others in (("member", self.members), ("behind it", self.behind)):
            for other in others:
                first, *rest = other.lines()
                yield f"  {heading}: {first}"
                yield from (f"  {line}" for line in rest)


def explained(
    error: BaseException, read: Read, gravity: Callable[[Reading], tuple[int, bool, int]]
) -> Explanation:
    """Explain an exception, its members, and those behind it.

    Args:
        error: The exception.
        read: Reads one exception, and notes who said what.
        gravity: Says which member of a group speaks for it.
    """
    told = _alone(error, read, gravity)
    return Explanation(
        error=told.error,
        classification=told.classification,
        notes=told.notes,
        members=told.members,
        behind=tuple(_alone(cause, read, gravity) for cause in _behind(error)),
    )


def _alone(
    error: BaseException, read: Read, gravity: Callable[[Reading], tuple[int, bool, int]]
) -> Explanation:
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    if is_control_flow(error):
        return Explanation(error=name, classification=None)
    group = as_group(error)
    if group is None:
        journal: Journal = []
        reading = read(error, journal)
        return Explanation(error=name, classification=reading.classification, notes=tuple(journal))
    told = [_alone(leaf, read, gravity) for leaf in leaves(group) if not is_control_flow(leaf)]
    # `sorted` is stable: of two equally grave ones the first speaks, as everywhere.
    ranked = sorted(told, key=lambda member: gravity(_reading(member)), reverse=True)
    return Explanation(
        error=name, classification=ranked[0].classification, members=tuple(ranked[:MAX_MEMBERS])
    )


def _outcome(note: Note, facts: Mapping[str, JsonValue]) -> str:
    if note.outcome == "decided":
        told = ", ".join(f"{field} {facts[field]}" for field in note.fields if field in facts)
        return told or "nothing new"
    return f"{note.outcome} ({note.reason})" if note.reason else note.outcome


def _reading(member: Explanation) -> Reading:
    assert member.classification is not None  # noqa: S101  # control flow was left out
    return Reading(member.classification, None)


def _behind(error: BaseException) -> Iterator[BaseException]:
    seen, found = {id(error)}, behind(error)
    while found is not None and id(found[0]) not in seen and len(seen) <= MAX_MEMBERS:
        yield found[0]
        seen.add(id(found[0]))
        found = behind(found[0])


def _names(
    answer: Classification | Reading | Partial | Mapping[str, object],
) -> Iterator[str]:
    if isinstance(answer, Reading):
        answer = answer.classification
    if isinstance(answer, Classification):
        yield from facts_of_classification(answer)
    else:
        yield from answer.facts() if isinstance(answer, Partial) else answer


def _shown(said: Classification) -> dict[str, JsonValue]:
    facts = facts_of_classification(said)
    return {
        name: _plain(facts[name])
        for name in facts
        if name not in _SILENT and facts[name] not in {None, ""}
    }


def _plain(fact: object) -> JsonValue:
    if isinstance(fact, Severity):
        return fact.name
    return fact if isinstance(fact, bool | int) else str(fact)
