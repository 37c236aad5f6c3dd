"""The section of one recover action."""

from dataclasses import dataclass
from typing import Annotated

from holdfast.settings.types import DottedPath
from holdfast.strict import Range, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverySettings(Section):
    """What is tried to recover from one kind of error, and how often."""

    action: DottedPath
    """The function that is tried, a dotted path such as `shop.errors:reconnect`."""

    timeout: Annotated[float, Range(0.001, 300)] = 2.0
    """Seconds it may take, 0.001 to 300."""

    failures: Annotated[int, Range(1, 1000)] = 3
    """Failures in a row after which it pauses, 1 to 1000; nor is it tried while as many calls hang."""

    pause: Annotated[float, Range(0.001, 86_400)] = 30.0
    """Seconds it is not tried for then, 0.001 to 86,400; after them it is tried once."""
