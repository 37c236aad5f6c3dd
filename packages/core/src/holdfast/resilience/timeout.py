"""How long a call may take: a deadline for all of it, a time-out for each attempt."""

from dataclasses import dataclass

from holdfast.resilience.call import Call, Inner, Steps
from holdfast.resilience.deadline import refusal
from holdfast.resilience.host import Host
from holdfast.resilience.outcome import Outcome
from holdfast.resilience.scope import current_scope, restore
from holdfast.resilience.validity import check_seconds


@dataclass(frozen=True, slots=True)
class Deadline:
    """Gives a call, with all its attempts and waits, so many seconds.

    Coroutines are cancelled at the deadline, and what comes out is `DeadlineExceededError`. A plain
    function is not: it goes on to its end, and its result counts; what it calls sees the deadline,
    and no further attempt begins after it.

    Args:
        seconds: More than 0, and at most a year.

    Raises:
        ValueError: For a number out of bounds.
        TypeError: For what is no number.
    """

    seconds: float

    def __post_init__(self) -> None:
        check_seconds(f"{type(self).__name__}.seconds", self.seconds, above=True)

    def live(self, name: str, host: Host) -> "DeadlineLayer":  # noqa: ARG002  # as `Spec` says
        """Return the layer of one policy."""
        return DeadlineLayer(self.seconds, host)


@dataclass(frozen=True, slots=True)
class Timeout:
    """Gives each attempt of a call so many seconds; never more than the deadline leaves.

    Coroutines are cancelled; of plain functions the same holds as for `Deadline`.

    Args:
        seconds: More than 0, and at most a year.

    Raises:
        ValueError: For a number out of bounds.
        TypeError: For what is no number.
    """

    seconds: float

    def __post_init__(self) -> None:
        check_seconds(f"{type(self).__name__}.seconds", self.seconds, above=True)

    def live(self, name: str, host: Host) -> "TimeLayer":  # noqa: ARG002  # as `Spec` says
        """Return the layer of one policy."""
        return TimeLayer(self.seconds, host)


class TimeLayer:
    """A limited time for what is further in, live."""

    def __init__(self, seconds: float, host: Host) -> None:
        self.seconds = seconds
        self._clock = host.clock

    def steps(self, call: Call, inner: Inner) -> Steps:
        """Let what is further in run within the time; refuse when none is left."""
        at, attempt = current_scope.get()
        now = self._clock.monotonic()
        if at <= now and call.taken is None:
            return Outcome(refusal())
        token = current_scope.set((min(at, now + self.seconds), attempt))
        try:
            return (yield from inner(call))
        finally:
            restore(token)


class DeadlineLayer(TimeLayer):
    """A limited time for a call with all its attempts, live: no call of it takes the short way."""
