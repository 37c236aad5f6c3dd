"""Tasks that are tried again when that may help, which the classification of their error says."""

import math
import random
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeAlias, cast

from celery import Task
from celery.exceptions import Reject, Retry, TaskPredicate
from celery.utils.time import maybe_iso8601, maybe_make_aware

from holdfast.classify import Reading
from holdfast.clock import Clock, SystemClock
from holdfast.handler import Action, ErrorHandler, Verdict
from holdfast.hooks.process import capture, responsible, responsible_classifier
from holdfast.integrations.celery.origins import task_origin
from holdfast.origin import Origin
from holdfast.resilience.backoff import full_jitter
from holdfast.resilience.deadline import deadline, refusal, remaining

if TYPE_CHECKING:
    from datetime import datetime

    from celery import Celery

_Run: TypeAlias = Callable[..., object]


def next_delay(
    retries: int,
    *,
    base: float,
    ceiling: float,
    chance: random.Random,
    least: float = 0.0,
    left: float = math.inf,
) -> float | None:
    """Return how long to wait before the next attempt, or None when there is no time for it.

    Exponential backoff with full jitter: anything from nothing to `base` seconds before the first
    retry, then to twice, four times, eight times as much. What the other side asked to wait comes
    on top, so that not everybody is back at that very moment.

    Args:
        retries: How often the work was tried again before.
        base: Seconds.
        ceiling: Seconds that the backoff does not exceed.
        chance: Draws the jitter.
        least: Seconds the other side asked to wait.
        left: Seconds after which the work is of no use.

    Example:
        >>> next_delay(2, base=1.0, ceiling=60.0, chance=random.Random(7))
        1.295...
        >>> next_delay(0, base=1.0, ceiling=60.0, chance=random.Random(7), least=30, left=20)
    """
    room = left - least
    if room <= 0:
        return None
    return least + full_jitter(retries, base=base, ceiling=min(ceiling, room), chance=chance)


class ResilientTask(Task[..., object]):
    """A task that is tried again when its error is transient, as the runtime's classifier says.

    A programmer's error, an error in `throws` and what Celery uses for control flow come out at
    once; so does the error itself, and no `MaxRetriesExceededError`, when `max_retries` are used
    up, when the retry would come after the task has expired, or when it cannot be sent. A task
    that ran into its own time limit is not tried again unless `retry_on` says so. From an error
    that would come out a handler may recover: its value is the task's result.

    Every attribute is an option of `@app.task(...)` too. For all tasks of an application:
    `Celery("shop", task_cls="holdfast.integrations.celery:ResilientTask")`.

    Raises:
        ValueError: When the task is bound to its application, if an option makes no sense.
        TypeError: Likewise.

    Example:
        >>> from celery import Celery
        >>> app = Celery("shop")
        >>> @app.task(base=ResilientTask, bind=True, max_retries=5, retry_base=0.5)
        ... def charge(self, order):
        ...     raise ConnectionRefusedError("payments.example")
        >>> charge.max_retries, charge.retry_base, charge.retry_ceiling
        (5, 0.5, 600.0)
    """

    retry_on: tuple[type[Exception], ...] = ()
    """Errors that are tried again whatever their classification says."""
    retry_base: float = 1.0
    """Seconds that the wait before the first retry does not exceed; doubles with each."""
    retry_ceiling: float = 600.0
    """Seconds that no backoff exceeds."""
    retry_after_limit: float = 3600.0
    """Seconds that others may ask to wait (`Retry-After`); an error that asks for more comes out.

    Redis delivers again what waits for longer than its visibility timeout, which is an hour.
    """
    chance: random.Random = random.SystemRandom()
    """Draws the jitter; not a generator that children of a pool would inherit in one state."""
    within_deadline: bool = False
    """Whether the task is of use only to who sends it, and only before the deadline of who sends it.

    It then expires at that deadline (Celery's `expires`, at the wall time of both machines): a worker
    that comes to it later revokes it, which is recorded, and what it calls while it runs sees the time
    that is left. Sent where no time is left, it raises `DeadlineExceededError`. By default a task
    outlives the request that sends it.
    """
    clock: Clock = SystemClock()
    """Tells how long a task has until it expires."""

    _checked: ClassVar[tuple[str, ...]] = ("retry_base", "retry_ceiling", "retry_after_limit")

    def __new__(cls) -> Self:
        """Make the task, and try its `run` again."""
        # Not in `__init__`, which tasks define without calling their parent's.
        task = super().__new__(cls)
        task.run = task._tried_again(task.run)  # type: ignore[method-assign]
        return task

    @classmethod
    def on_bound(cls, app: "Celery") -> None:
        """Refuse options that make no sense."""
        super().on_bound(app)
        for name in cls._checked:
            _check_seconds(cls, name, getattr(cls, name))
        if cls.retry_ceiling < cls.retry_base:
            raise ValueError(_told(cls, "retry_ceiling", "at least retry_base", cls.retry_ceiling))
        if not isinstance(cast("object", cls.chance), random.Random):
            raise TypeError(_told(cls, "chance", "a random.Random", cls.chance))
        _check_errors(cls, cls.retry_on)

    def apply_async(
        self,
        args: Any = None,  # noqa: ANN401  # Celery's own parameters
        kwargs: Any = None,  # noqa: ANN401
        *further: Any,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401  # a result of whichever backend
        """Send the task; with `within_deadline` it expires no later than the present deadline.

        Raises:
            DeadlineExceededError: It is of use only within a deadline that has passed.
        """
        left = remaining() if self.within_deadline else math.inf
        if left <= 0.0:
            raise refusal()
        if left < self._left(_as_time(options.get("expires", self.expires), self.clock)):
            options["expires"] = self.clock.now() + timedelta(seconds=left)
        return super().apply_async(args, kwargs, *further, **options)

    def retry(self, *args: Any, **options: Any) -> Retry:  # noqa: ANN401  # Celery's own parameters
        """Ask for another attempt as Celery's tasks do; the error being handled is its reason.

        With that, the error comes out when `max_retries` are used up.
        """
        handled = sys.exception()
        if len(args) <= _BEFORE_EXC and isinstance(handled, Exception):
            options.setdefault("exc", handled)
        return super().retry(*args, **options)

    def _tried_again(self, run: _Run) -> _Run:
        @wraps(run)
        def tried_again(*args: object, **kwargs: object) -> object:
            try:
                with self._limit():
                    return run(*args, **kwargs)
            except Exception as error:
                again = self._again(error)
                if again is None:
                    recovered = self._recovered(error)
                    if recovered is None:
                        raise
                    return recovered.value
                raise again  # noqa: B904  # the error is its context, and its `exc`

        return tried_again

    def _limit(self) -> AbstractContextManager[None]:
        """Return what bounds the task as it runs."""
        if not self.within_deadline or self.request.called_directly:
            return nullcontext()
        return deadline(self._left(cast("datetime | str | None", self.request.expires)))

    def _recovered(self, error: Exception) -> Verdict | None:
        """Have the error handled, and return what was decided when that is to go on with a value."""
        handler: object = getattr(responsible(), "handler", None)
        if not (isinstance(handler, ErrorHandler) and handler.may_recover):
            return None
        if self.request.called_directly or isinstance(error, (TaskPredicate, self.throws)):
            return None
        verdict = capture(error, task_origin(self, self.request), resumable=True)
        return verdict if verdict is not None and verdict.action is Action.RECOVERED else None

    def _again(self, error: Exception) -> Retry | None:
        """Send the running task once more, or return None for its error to come out."""
        try:
            delay = self._delay_after(error)
            return None if delay is None else self.retry(exc=error, countdown=delay, throw=False)
        except Reject as unsent:
            error.add_note(f"not tried again, as that could not be sent: {unsent.args[0]!r:.200}")
        except Exception as failure:  # noqa: BLE001  # the task's own error has to come out
            if failure is not error:
                capture(failure, Origin(boundary="celery.task", operation=self.name))
        return None

    def _delay_after(self, error: Exception) -> float | None:
        """Return how long to wait before the running task is tried again, or None to give up."""
        request, reading = self.request, responsible_classifier().read(error)
        exhausted = self.max_retries is not None and request.retries >= self.max_retries
        if exhausted or request.called_directly or not self._may_help(error, reading):
            return None
        if reading.asked > self.retry_after_limit:
            return None
        return next_delay(
            request.retries,
            base=self.retry_base,
            ceiling=self.retry_ceiling,
            chance=self.chance,
            least=reading.asked,
            left=self._left(cast("datetime | str | None", request.expires)),
        )

    def _may_help(self, error: Exception, reading: Reading) -> bool:
        if isinstance(error, (TaskPredicate, self.throws)):
            return False
        return isinstance(error, self.retry_on) or reading.classification.transient

    def _left(self, expires: "datetime | str | None") -> float:
        """Return the seconds until the task expires."""
        try:
            until = maybe_iso8601(expires)
        except ValueError:  # of a message that somebody else wrote
            return math.inf
        if until is None:
            return math.inf
        aware = maybe_make_aware(until, self.app.timezone)
        return (aware - self.clock.now()).total_seconds()


def _as_time(expires: object, clock: Clock) -> "datetime | str | None":
    """Return when a message expires; Celery takes seconds from now, too."""
    if isinstance(expires, int | float):
        return clock.now() + timedelta(seconds=expires)
    return cast("datetime | str | None", expires)


_BEFORE_EXC: Final = 2
"""Arguments of `Task.retry` before the error."""


def _check_seconds(cls: type[ResilientTask], option: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(_told(cls, option, "a number of seconds", value))
    if not (math.isfinite(value) and value > 0):
        raise ValueError(_told(cls, option, "a positive number of seconds", value))


def _check_errors(cls: type[ResilientTask], named: object) -> None:
    given = cast("tuple[object, ...]", named) if isinstance(named, tuple) else (None,)
    errors = [error for error in given if isinstance(error, type) and issubclass(error, Exception)]
    if len(errors) < len(given):
        wanted = "a tuple of classes of exceptions"
        raise TypeError(_told(cls, "retry_on", wanted, cls.retry_on))
    expected = [error.__qualname__ for error in errors if issubclass(error, cls.throws)]
    if expected:
        wanted = f"without what throws has, whose errors are not tried again: {expected[0]}"
        raise ValueError(_told(cls, "retry_on", wanted, given))


def _told(cls: type[ResilientTask], option: str, wanted: str, value: object) -> str:
    return f"task {cls.name or cls.__qualname__}: {option} must be {wanted}, not {value!r:.100}"
