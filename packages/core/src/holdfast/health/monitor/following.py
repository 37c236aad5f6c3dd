"""Which checks of a registry are watched."""

from collections.abc import Iterator
from dataclasses import replace

from holdfast.forks import ForkSafeLock
from holdfast.health.check import Check
from holdfast.health.monitor.rounds import Rounds, Told
from holdfast.health.monitor.service import Service
from holdfast.health.monitor.watch import Watch
from holdfast.health.registry import HealthRegistry


class Following:
    """Watches the checks of a registry: those that are added later, too; not those that were removed.

    Thread-safe: whoever adds a service, and the monitor's own thread, bring it up to date.

    Args:
        registry: Whose checks.
        default: How they are watched.
        all_checks: Whether all are; else those alone that are asked for.
        history: How many looks at each are kept.
    """

    def __init__(
        self, registry: HealthRegistry, default: Watch, *, all_checks: bool, history: int
    ) -> None:
        self._registry = registry
        self._default = default
        self._all = all_checks
        self._history = history
        self._lock = ForkSafeLock()
        self._asked: dict[str, Watch] = {}
        self._left_out: frozenset[str] = frozenset()
        self._followed: frozenset[str] = frozenset()

    def ask(self, name: str, watch: Watch) -> None:
        """Watch the check of a name as told, as soon as there is one."""
        with self._lock:
            self._asked = {**self._asked, name: watch}
            self._left_out -= {name}

    def leave_out(self, name: str) -> None:
        """Do not watch the check of a name."""
        with self._lock:
            self._asked = {known: watch for known, watch in self._asked.items() if known != name}
            self._left_out |= {name}
            self._followed -= {name}

    def update(self, rounds: Rounds) -> list[Told]:
        """Have watched what is registered now, and return what is to be told of what is not any more."""
        with self._lock:
            return list(self._update(rounds))

    def _update(self, rounds: Rounds) -> Iterator[Told]:
        wanted = {check.name: check for check in self._registry.checks if self._wants(check)}
        known = rounds.services
        for name in self._followed - wanted.keys():
            told = rounds.remove(name)
            if told is not None:
                yield told
        self._followed &= wanted.keys()
        for name, check in wanted.items():
            service, watch = known.get(name), self._watch(check)
            is_ours = service is None or name in self._followed
            if is_ours and (service is None or (service.check, service.watch) != (check, watch)):
                rounds.add(Service(check, watch, self._registry.runner, self._history))
                self._followed |= {name}

    def _wants(self, check: Check) -> bool:
        return check.name in self._asked or (self._all and check.name not in self._left_out)

    def _watch(self, check: Check) -> Watch:
        asked = self._asked.get(check.name)
        if asked is not None or check.every is None:
            return asked or self._default
        return replace(self._default, interval=max(check.every, self._default.interval))
