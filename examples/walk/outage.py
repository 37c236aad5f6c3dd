"""What is seen and told of a dependency that goes away and comes back, at every shop."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from threading import Event
from typing import cast

from examples.walk import alerts
from examples.walk.alerts import OPENED, RECOVERED
from examples.walk.answers import ask
from examples.walk.processes import LOOK_AGAIN, Server, Site

ALERT = "monitor payment-gateway"
CHECK = "payment-gateway"
PATIENCE = 10.0
"""Seconds that the monitor may take to see a change and to tell of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A point of an outage, and how a shop has to be then."""

    title: str
    is_away: bool
    """Whether the gateway is away from now on."""
    check: str
    """What `/health/` says of the gateway: without it one can still look around, so it only warns."""
    told: tuple[str, ...]
    """What whoever is on call was told until then."""
    ready: int = 200
    live: int = 200


MOMENTS = (
    Moment(title="All is well", is_away=False, check="pass", told=()),
    Moment(title="The payment gateway goes away", is_away=True, check="warn", told=(OPENED,)),
    Moment(title="It comes back", is_away=False, check="pass", told=(OPENED, RECOVERED)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How a shop is."""

    check: str = ""
    why: str = ""
    ready: int = 0
    live: int = 0
    told: tuple[str, ...] = field(default=())


def switch(site: Site, *, away: bool) -> None:
    """Let the gateway go away, or come back."""
    connection = HTTPConnection("127.0.0.1", site.neighbours.port, timeout=PATIENCE)
    connection.request("POST", "/outage", json.dumps({"away": away}))
    connection.getresponse().read()
    connection.close()


def watch(moment: Moment, shop: Server, site: Site) -> Seen:
    """Return how a shop is, as soon as that is as it should be."""
    seen = look(shop, site)
    for _ in range(int(PATIENCE / LOOK_AGAIN / 5)):
        if not [*objections(moment, seen)]:
            break
        Event().wait(LOOK_AGAIN * 5)
        seen = look(shop, site)
    return seen


def look(shop: Server, site: Site) -> Seen:
    """Return how a shop is now."""
    whole = cast(
        "dict[str, dict[str, list[dict[str, str]]]]", ask(shop, "GET", "/health/").data or {}
    )
    check = whole.get("checks", {}).get(CHECK, [{}])[0]
    messages = alerts.by_alert(alerts.read(shop, site)).get(ALERT, [])
    return Seen(
        check=check.get("status", ""),
        why=check.get("output", ""),
        ready=ask(shop, "GET", "/health/ready").status,
        live=ask(shop, "GET", "/health/live").status,
        told=tuple(message.stage for message in messages),
    )


def objections(moment: Moment, seen: Seen) -> Iterator[str]:
    """Return one sentence for everything that is not as it should be."""
    for name in ("check", "ready", "live", "told"):
        expected, got = getattr(moment, name), getattr(seen, name)
        if expected != got:
            yield f"{name}: expected {expected}, got {got}"
