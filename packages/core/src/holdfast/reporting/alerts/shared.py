"""Folding of several processes as if they were one: each counts, one of them leads and tells.

Every process keeps what it has counted in a store, as totals, so that to say the same twice does not
count twice. The one that holds a lease reads all totals, takes the same steps as a process that is
alone, keeps where it is in the store, and sends only what the store has kept: should it die, another
goes on from there. Where the store is away each process goes on alone, from what it saw last.
"""

import json
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, cast

from holdfast.clock import Clock
from holdfast.reporting.alerts.course import Turn
from holdfast.reporting.alerts.folding import Due, LocalFolding, Sample, sample_of
from holdfast.reporting.alerts.message import Stage
from holdfast.reporting.alerts.rules import AlertRule
from holdfast.reporting.alerts.seen import Memory
from holdfast.reporting.alerts.store import (
    Answer,
    Fields,
    Place,
    State,
    Store,
    read_course,
    read_place,
    read_sample,
    read_state,
    told_of,
    written,
)
from holdfast.reporting.alerts.tallies import Heard

BEAT: Final = 1.0
"""Seconds between two exchanges with the store, as long as there is something to exchange."""
FOLLOW: Final = 5.0
"""Seconds between two looks at whether somebody leads, as long as an alert is open."""
AWAY: Final = 3.0
"""Seconds after which a store that was away is asked again."""
MAX_UNSENT: Final = 200
_ALONE: Final = "alone"
"""Where a process tells what it has done alone, among its totals."""


class SharedFolding:
    """Folds together with the other processes of a service.

    Args:
        store: What they share.
        rules: All rules; the same everywhere.
        clock: Lets time pass.
        memory: Knows what was seen before.
        release: Of the service.
        on_failure: Called with what the store raised, each time it goes away.
    """

    _is_new: bool
    """Whether the store has not heard of this member."""
    _changed: set[str]
    """Totals that the store does not have."""

    def __init__(
        self,
        store: Store,
        rules: Iterable[AlertRule],
        clock: Clock,
        memory: Memory,
        *,
        release: str = "",
        on_failure: Callable[[Exception], None] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._on_failure = on_failure
        self._time = _Passed(clock)
        self._local = LocalFolding(rules, self._time, memory, release=release)
        self.reset()

    def reset(self) -> None:
        """Begin anew in a forked child: what is open is the parent's."""
        self._local.reset()
        self._process = secrets.token_hex(8)
        self._member = self._was = ""
        self._totals: dict[str, int] = {}
        self._taken: dict[str, int] = {}
        """How much of our totals has been counted, here or by who leads."""
        self._samples: dict[str, Sample] = {}
        self._alone: dict[str, int] = {}
        """What was counted since the store went away."""
        self._held: dict[str, list[float]] = {}
        """What was ours to tell then: how many of each, and when the message before was due."""
        self._before: dict[str, int] = {}
        """How much of our totals had been counted then."""
        self._state = State()
        self._version = -1
        self._leads = False
        self._away = False
        self._issued: set[str] = set()
        """Messages of ours that are on their way."""
        self._sent: SimpleQueue[str] = SimpleQueue()
        self._seen_at = self._next = self._clock.monotonic()
        self._begin_anew()

    def fold(self, heard: Sequence[Heard]) -> list[Due]:
        """Count what was heard and exchange it; return what this process has to send now."""
        for one in heard:
            place = written((one.rule.name, one.key))
            self._totals[place] = self._totals.get(place, 0) + one.events
            self._samples[place] = sample_of(one)
            self._changed.add(place)
        now = self._clock.monotonic()
        if now < self._next:
            return self._go_alone(now) if self._away else []
        try:
            return self._exchange(now)
        except Exception as failure:  # noqa: BLE001  # whatever a library raises: we go on without it
            self._next = now + AWAY
            self._lose_sight(failure)
            return self._go_alone(now)

    def wait(self) -> float | None:
        """Return the seconds after which time has to pass again; None when it need not."""
        if self._away:
            return BEAT
        is_open = any(course.get("id") for course in self._state.courses.values())
        behind = any(n > self._taken.get(place, 0) for place, n in self._totals.items())
        if behind or self._changed or (self._leads and (is_open or self._state.unsent)):
            return BEAT
        if is_open or self._state.unsent:
            return FOLLOW
        if self._leads:
            self.leave()
        return None

    def finish(self) -> list[Due]:
        """Leave what is open to the others; alone, return a last summary of each alert."""
        if not (self._away or self._leads or self._changed):
            return []
        self._next = self._clock.monotonic()
        dues = self.fold(())
        return [*dues, *self._local.finish()] if self._away else dues

    def leave(self) -> None:
        """Let another process lead; what has been sent by now it need not send."""
        if not self._leads or self._away:
            return
        self._leads = False
        with suppress(Exception):  # else the lease ends by itself
            if self._forget_sent():
                self._keep(self._state.kept)
            self._store.step_down(self._process)
        self._version = -1

    def _exchange(self, now: float) -> list[Due]:
        if self._away:
            self._begin_anew()
        answer = self._store.exchange(
            self._process,
            self._member,
            self._fields(),
            replaces=self._was,
            is_new=self._is_new,
            version=self._version,
        )
        if not answer.known:
            return self._forgotten(answer, now)
        self._changed.clear()
        self._is_new = False
        self._next = now + BEAT
        # Whoever led all the time has kept the state itself.
        took_over = answer.leads and (not self._leads or bool(answer.state))
        self._take_in(answer)
        self._away, self._leads, self._was = False, answer.leads, ""
        passed, self._seen_at = max(0.0, now - self._seen_at), now
        if not answer.leads:
            return []
        if took_over:
            passed = max(0.0, answer.now - self._state.kept) if self._state.kept else 0.0
        self._pass_time(passed)
        return self._lead(answer, self._resend() if took_over else [])

    def _forgotten(self, answer: Answer, now: float) -> list[Due]:
        """Come back as another member; where the store has lost everything, with all that is known."""
        self._next = now
        if answer.version == 0 and self._version > 0:
            self._lose_sight()
            return self._go_alone(now)
        self._begin_anew()
        return []

    def _take_in(self, answer: Answer) -> None:
        """Take over the state in the store; where that was lost, all processes will tell of theirs."""
        if answer.state:
            self._state = read_state(answer.state)
            self._load()
        elif self._away and answer.leads and answer.version == 0:
            self._state = State(id=secrets.token_hex(8), time=self._state.time)
            self._load()
        self._time.seconds = self._state.time
        self._version = answer.version
        self._note_taken()

    def _note_taken(self) -> None:
        for place, taken in self._state.taken.get(self._member, {}).items():
            self._taken[place] = self._start.get(place, 0) + taken

    def _lead(self, answer: Answer, left: list[Due]) -> list[Due]:
        counts: dict[Place, int] = {}
        joined = [self._count(m, fields, counts) for m, fields in answer.members.items()]
        for gone in self._state.taken.keys() - answer.members.keys():
            del self._state.taken[gone]
        dues = [self._noted(due) for due in self._local.advance(counts, self._state.time)]
        if self._forget_sent() or left or counts or dues or any(joined) or not answer.version:
            self._dump()
            if not self._keep(answer.now):
                self._leads, self._version = False, -1  # somebody else does: read what they kept
                return []
        self._note_taken()
        return [*left, *dues]

    def _keep(self, now: float) -> bool:
        self._state.kept = now
        kept = self._store.keep(self._process, self._version + 1, json.dumps(asdict(self._state)))
        self._version += kept
        return kept

    def _forget_sent(self) -> bool:
        """Take what has left out of the state; True when there was any."""
        forgot = False
        with suppress(Empty):
            while True:
                name = self._sent.get_nowait()
                self._issued.discard(name)
                forgot = self._state.unsent.pop(name, None) is not None or forgot
        return forgot

    def _pass_time(self, seconds: float) -> None:
        self._state.time += seconds
        self._time.seconds = self._state.time

    def _count(self, member: str, fields: Fields, counts: dict[Place, int]) -> bool:
        """Add what is new of a member; True when it has told what it did alone."""
        joined = False
        taken = self._state.taken.setdefault(member, {})
        for place, text in fields.items():
            told = cast("dict[str, object]", json.loads(text))
            if place == _ALONE:
                if not taken.get(_ALONE):
                    taken[_ALONE] = 1
                    self._absorb(told)
                    joined = True
                continue
            total = cast("int", told["total"])
            new = total - taken.get(place, 0)
            if new > 0 and self._local.has_rule(read_place(place)[0]):
                counts[read_place(place)] = counts.get(read_place(place), 0) + new
                taken[place] = total
                self._local.samples[read_place(place)] = self._sample(place, member, told)
        return joined

    def _sample(self, place: str, member: str, told: dict[str, object]) -> Sample:
        return self._samples[place] if member == self._member else read_sample(told)

    def _absorb(self, told: dict[str, object]) -> None:
        """Join what a process has done alone: what it has opened is open."""
        same = told["state"] == self._state.id
        later = self._state.time - cast("float", told["time"])
        alone = self._counted_alone(told)
        held = cast("dict[str, list[float]]", told["held"]) if same else {}
        for place, course in cast("dict[str, dict[str, object]]", told["courses"]).items():
            theirs, mine = read_course(course), self._local.courses.get(read_place(place))
            theirs.pending -= min(theirs.pending, alone.get(place, (0, 0))[1])
            theirs.shift(later)
            if mine is not None and mine.is_open:
                pending, said = held.get(place, (0.0, -1.0))
                mine.pending -= min(mine.pending, int(pending)) if said == mine.said else 0
                mine.join(theirs, alone.get(place, (0, 0))[0])
            elif alone.get(place) or not same:
                self._local.courses[read_place(place)] = theirs
        for place, sample in cast("dict[str, dict[str, object]]", told["samples"]).items():
            self._local.samples.setdefault(read_place(place), read_sample(sample))

    def _counted_alone(self, told: dict[str, object]) -> dict[str, tuple[int, int]]:
        """Return what a process counted alone, and how much of that was counted here as well.

        It may have been told that the store is away although that had taken its totals.
        """
        before = cast("dict[str, int]", told["before"])
        taken = self._state.taken.get(str(told["was"]), {})
        found: dict[str, tuple[int, int]] = {}
        for place, count in cast("dict[str, int]", told["alone"]).items():
            twice = min(count, max(0, taken.get(place, 0) - before.get(place, 0)))
            found[place] = count - twice, twice
        return found

    def _noted(self, due: Due) -> Due:
        """Keep a message in the state until all channels have it."""
        name = f"{due.turn.id}.{secrets.token_hex(4)}"
        if len(self._state.unsent) < MAX_UNSENT:
            self._state.unsent[name] = {
                "place": written((due.rule.name, due.key)),
                "turn": list(due.turn),
                "sample": told_of(due.sample),
            }
        self._issued.add(name)
        return due._replace(settled=partial(self._sent.put, name))

    def _resend(self) -> list[Due]:
        """Return what the one before has left."""
        found: list[Due] = []
        for name, told in self._state.unsent.items():
            if name in self._issued:
                continue
            rule, key = read_place(cast("str", told["place"]))
            stage, id_, events, total, since = cast("list[object]", told["turn"])
            turn = Turn(
                Stage(str(stage)), str(id_), *cast("tuple[int, int, float]", (events, total, since))
            )
            if self._local.has_rule(rule):
                sample = read_sample(cast("dict[str, object]", told["sample"]))
                due = self._local.due((rule, key), turn, self._state.time)
                self._issued.add(name)
                settled = partial(self._sent.put, name)
                found.append(due._replace(sample=sample, settled=settled))
        return found

    def _lose_sight(self, failure: Exception | None = None) -> None:
        """Begin to go alone, from what was known: what others have counted is theirs to tell."""
        if self._away:
            return
        self._away = True
        self._alone, self._held = {}, {}
        self._before = {p: n - self._start.get(p, 0) for p, n in self._taken.items()}
        if failure is not None and self._on_failure is not None:
            self._on_failure(failure)
        for place, course in self._local.courses.items():
            if self._leads:
                self._held[written(place)] = [course.pending, course.said]
            else:
                course.pending = 0
        self._leads = False

    def _go_alone(self, now: float) -> list[Due]:
        self._pass_time(max(0.0, now - self._seen_at))
        self._seen_at = now
        counts: dict[Place, int] = {}
        for place, total in self._totals.items():
            new = total - self._taken.get(place, 0)
            if new > 0:
                counts[read_place(place)] = new
                self._alone[place] = self._alone.get(place, 0) + new
                self._taken[place] = total
                self._local.samples[read_place(place)] = self._samples[place]
        self._changed.clear()
        dues = self._local.advance(counts, self._state.time)
        self._dump()
        return dues

    def _begin_anew(self) -> None:
        """Be another member: what has been counted of us already is no part of its totals."""
        self._was = self._was or self._member
        self._member = secrets.token_hex(8)
        self._is_new = True
        self._leads = False
        self._version = -1
        self._start = dict(self._taken)
        self._changed = {p for p, n in self._totals.items() if n > self._start.get(p, 0)}

    def _fields(self) -> dict[str, str]:
        fields = {
            place: json.dumps(
                {
                    "total": self._totals[place] - self._start.get(place, 0),
                    **told_of(self._samples[place]),
                }
            )
            for place in self._changed
        }
        if self._away:
            fields[_ALONE] = json.dumps(
                {
                    "time": self._state.time,
                    "courses": self._open(),
                    "samples": self._state.samples,
                    "alone": self._alone,
                    "held": self._held,
                    "before": self._before,
                    "was": self._was,
                    "state": self._state.id,
                }
            )
        return fields

    def _open(self) -> dict[str, dict[str, object]]:
        return {p: course for p, course in self._state.courses.items() if course.get("id")}

    def _load(self) -> None:
        courses = self._state.courses.items()
        self._local.courses = {read_place(place): read_course(course) for place, course in courses}
        samples = self._state.samples.items()
        self._local.samples = {read_place(place): read_sample(sample) for place, sample in samples}

    def _dump(self) -> None:
        courses = self._local.courses.items()
        self._state.courses = {written(place): asdict(course) for place, course in courses}
        samples = self._local.samples.items()
        self._state.samples = {written(place): told_of(sample) for place, sample in samples}


class _Passed:
    """A clock of the time that has passed for the alerts."""

    def __init__(self, clock: Clock) -> None:
        self.seconds = 0.0
        self.now, self.sleep, self.asleep = clock.now, clock.sleep, clock.asleep

    def monotonic(self) -> float:
        """Return the seconds."""
        return self.seconds
