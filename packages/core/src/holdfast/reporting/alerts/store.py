"""What processes share of alerts: a store, the state in it, and how both are written."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias, cast

from holdfast.kinds import Severity
from holdfast.reporting.alerts.course import Course
from holdfast.reporting.alerts.folding import Sample

if TYPE_CHECKING:
    from holdfast.events import Scalar

Place: TypeAlias = tuple[str, str]
"""A rule, by name, and a key."""
Fields: TypeAlias = Mapping[str, str]


class Answer(NamedTuple):
    """What the store says."""

    known: bool
    """Whether it knew the member; if not, nothing was done but to say the version."""
    leads: bool = False
    version: int = 0
    """Of the state; 0: there is none."""
    state: str = ""
    """Empty when the member has this version."""
    now: float = 0.0
    """Seconds of the store's clock."""
    members: Mapping[str, Fields] = {}
    """Totals of all members, for the one that leads."""


class Store(Protocol):
    """What processes share; each call may block for a short time, and raise."""

    def exchange(
        self,
        process: str,
        member: str,
        fields: Fields,
        *,
        replaces: str,
        is_new: bool,
        version: int,
    ) -> Answer:
        """Keep a member's totals, let its process lead if none does, and return what there is.

        Args:
            process: Who asks.
            member: Whose totals they are: the process's since it last came back.
            fields: Totals that have changed.
            replaces: A member whose totals are of no use any more; may be empty.
            is_new: Whether the member comes for the first time.
            version: Of the state that it has.
        """
        ...

    def keep(self, process: str, version: int, state: str) -> bool:
        """Keep the state, if the process still leads; False when it does not."""
        ...

    def step_down(self, process: str) -> None:
        """Let somebody else lead."""
        ...


@dataclass(slots=True)
class State:
    """Where all alerts are, as the one that leads knows and the store keeps."""

    id: str = ""
    """The same as long as the store loses nothing."""
    time: float = 0.0
    """Seconds that have passed for the alerts; no process's own."""
    kept: float = 0.0
    """When it was kept, by the store's clock."""
    courses: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    taken: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    """Of each member, how much of its totals has been counted."""
    samples: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    unsent: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    """Messages that are due and not known to have left."""


def read_state(text: str) -> State:
    """Return the state that was kept, as far as this version of the suite knows its parts."""
    told = cast("dict[str, object]", json.loads(text))
    return State(**{f.name: told[f.name] for f in fields(State) if f.name in told})  # type: ignore[arg-type]  # as written


def read_course(told: dict[str, object]) -> Course:
    """Return a course that was written, as far as this version knows its parts."""
    known = {f.name: told[f.name] for f in fields(Course) if f.name in told}
    return Course(**known)  # type: ignore[arg-type]  # as written


def told_of(sample: Sample) -> dict[str, object]:
    """Return what is written of a sample."""
    return {"severity": int(sample.severity), "attributes": sample.attributes}


def read_sample(told: dict[str, object]) -> Sample:
    """Return a sample that was written."""
    severity = Severity(cast("int", told["severity"]))
    return Sample(severity, cast("dict[str, Scalar]", told["attributes"]))


def written(place: Place) -> str:
    """Return a rule and a key as one text."""
    return "\n".join(place)


def read_place(place: str) -> Place:
    """Return the rule and the key in a text."""
    rule, _, key = place.partition("\n")
    return rule, key
