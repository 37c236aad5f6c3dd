"""Schedules written as five fields of cron, read by croniter.

Extra: `pip install "holdfast[schedule]"`. What croniter 7.0.0 gets wrong is kept from it. When 02:30
comes twice a job at 02:30 runs twice, where every cron runs it once: it is asked about clocks on a
wall only, and not about time. And it takes `5-5` for the whole range.
"""

import re
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from holdfast.hooks.jobs.wallclock import next_on_wall

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    from croniter import croniter
except ImportError as error:  # say what to install
    raise ImportError(
        'schedules of cron need croniter: pip install "holdfast[schedule]"'
    ) from error

_FIELDS: Final = 5
_BY_THE_CLOCK: Final = frozenset({"@hourly"})
_ONE_OF_ONE: Final = re.compile(r"\b(\w+)-\1\b(?:/\d+)?")
_CHANCE: Final = frozenset("HhRr")
_SOME_DAY: Final = datetime(2024, 1, 1)  # noqa: DTZ001  # as the wall shows it


class CronSchedule:
    """Times at which a crontab would run a job.

    Args:
        expression: Five fields, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
        timezone: Whose clocks they mean, by its name in the IANA database.

    Raises:
        ValueError: When it is no such expression, its time never comes, or there is no such zone.

    Example:
        >>> from datetime import UTC
        >>> nightly = CronSchedule("30 2 * * *", "Europe/Paris")
        >>> nightly.next_after(datetime(2024, 1, 15, 12, tzinfo=UTC)).isoformat()
        '2024-01-16T01:30:00+00:00'
        >>> nightly.next_after(datetime(2024, 3, 30, 12, tzinfo=UTC)).isoformat()
        '2024-03-31T01:00:00+00:00'
    """

    def __init__(self, expression: str, timezone: str = "UTC") -> None:
        self.expression = _ONE_OF_ONE.sub(r"\1", " ".join(expression.split()))
        self.timezone = timezone
        try:
            self._zone = ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(
                f"there is no time zone {timezone!r}; a name is such as 'Europe/Paris'"
            ) from error
        self._fixed = _is_fixed(self.expression)
        self._check()

    def next_after(self, moment: datetime) -> datetime:
        """Return the first time after a moment, in UTC."""
        return next_on_wall(moment, self._zone, self._step, fixed=self._fixed)

    def _step(self, shown: datetime) -> datetime:
        found = cast("Callable[..., object]", croniter(self.expression, shown).get_next)(datetime)
        return cast("datetime", found)

    def _check(self) -> None:
        fields = self.expression.split()
        if len(fields) != _FIELDS and not self.expression.startswith("@"):
            raise ValueError(
                f"a schedule has five fields, such as '0 3 * * *', not {self.expression!r}"
            )
        if any(field[0] in _CHANCE for field in fields[:3]):
            raise ValueError(f"the schedule {self.expression!r} leaves its times to chance")
        try:
            self._step(_SOME_DAY)
        except (ValueError, KeyError) as error:
            raise ValueError(f"{self.expression!r} is no schedule of cron: {error}") from error


def _is_fixed(expression: str) -> bool:
    if expression.startswith("@"):
        return expression not in _BY_THE_CLOCK
    return not any("*" in field for field in expression.split()[:2])
