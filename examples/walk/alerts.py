"""What whoever is on call was told: each alert once when it opens, however often its error comes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from threading import Event
from typing import cast

from examples.walk.answers import RECORD_TIMEOUT, ask
from examples.walk.processes import LOOK_AGAIN, Server, Site

OPENED, CONTINUES, RECOVERED = "opened", "continues", "recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A message, as far as the walk looks at it."""

    rule: str
    key: str
    """What the rule folds by; empty where it makes one alert of all."""
    stage: str
    count: int
    """Errors since the message before."""

    @property
    def alert(self) -> str:
        """Which alert it belongs to."""
        return " ".join(filter(None, (self.rule, self.key)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What has to be told of one alert until the walk is over."""

    name: str
    errors: int | None
    """Errors that it has to tell of; None where that differs."""
    is_over: bool = False
    """Whether a recovery has to be told, too."""


ALERTS = (
    Alert(name="payments", errors=3),
    Alert(name="bug INTERNAL_ERROR", errors=2),
    Alert(name="deployment SERVICE_UNAVAILABLE", errors=1, is_over=True),
    Alert(name="monitor payment-gateway", errors=None, is_over=True),
)


def wait(shop: Server, site: Site, *, patience: float = RECORD_TIMEOUT) -> list[Told]:
    """Return what was told of a shop, as soon as it is as it should be."""
    told = read(shop, site)
    for _ in range(int(patience / LOOK_AGAIN)):
        if not [*objections(told)]:
            break
        Event().wait(LOOK_AGAIN)
        told = read(shop, site)
    return told


def read(shop: Server, site: Site) -> list[Told]:
    """Return what was told of a shop until now."""
    data = cast("dict[str, list[dict[str, object]]]", ask(site.neighbours, "GET", "/alerts").data)
    return [
        Told(
            rule=str(sent["rule"]),
            key=str(sent["key"]),
            stage=str(sent["stage"]),
            count=cast("int", sent["count"]),
        )
        for sent in data["alerts"]
        if sent["path"] == f"/alerts/{shop.key}"
    ]


def by_alert(told: Iterable[Told]) -> dict[str, list[Told]]:
    """Return messages by the alert that they belong to."""
    found: dict[str, list[Told]] = {}
    for message in told:
        found.setdefault(message.alert, []).append(message)
    return found


def objections(told: Iterable[Told]) -> Iterator[str]:
    """Return one sentence for everything that is not as it should be."""
    found = by_alert(told)
    for alert in ALERTS:
        messages = found.pop(alert.name, [])
        stages = [message.stage for message in messages if message.stage != CONTINUES]
        wanted = [OPENED, RECOVERED] if alert.is_over else [OPENED]
        if stages != wanted:
            yield f"alert {alert.name}: expected {wanted}, got {stages}"
        errors = sum(message.count for message in messages)
        if alert.errors not in {errors, None}:
            yield f"alert {alert.name}: expected {alert.errors} errors, got {errors}"
    yield from (f"alert {name}: expected none" for name in found)
