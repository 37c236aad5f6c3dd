"""What the suite says of itself beside the checks of a project; loaded by the first probe that asks."""

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from holdfast.health.check import Check
from holdfast.once import once

_CHECKS: Final[Mapping[str, tuple[str, str]]] = {
    "circuits": ("circuits", "CircuitsCheck"),
    "errors": ("errors", "ErrorRateCheck"),
    "reporters": ("reporters", "ReportersCheck"),
}
"""Module and class by the name that settings use."""


def own_checks(names: Iterable[str], timeout: float) -> tuple[Check, ...]:
    """Return checks of the runtime that is current when they run; none of them fails the whole.

    Args:
        names: Of those in `HEALTH.OWN`.
        timeout: Seconds of each.
    """
    return tuple(
        Check(name=f"holdfast:{name}", run=_Late(*_CHECKS[name]), critical=False, timeout=timeout)
        for name in dict.fromkeys(names)
    )


class _Late:
    """A check that is made when it runs first, and loaded then."""

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name

    @once
    def _made(self) -> Callable[[], object]:
        module = importlib.import_module(f"holdfast.health.checks.{self._module}")
        made: Callable[[], object] = getattr(module, self._name)()
        return made

    def __call__(self) -> object:
        return self._made()
