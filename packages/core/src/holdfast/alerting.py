"""Settings of alerts become a live set of rules, channels and what folds; loaded when there are rules."""

import importlib
import random
import socket
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, Protocol, cast

from holdfast.classify import Classifier
from holdfast.clock import Clock
from holdfast.loading import Loader
from holdfast.redact import Redactor
from holdfast.reporting.alerts.engine import Alerts, Sending
from holdfast.reporting.alerts.folding import Folding, LocalFolding
from holdfast.reporting.alerts.message import AlertChannel
from holdfast.reporting.alerts.outbox import Pause
from holdfast.reporting.alerts.rules import AlertRule
from holdfast.reporting.alerts.seen import Memory, Seen
from holdfast.reporting.alerts.written import Labels
from holdfast.reporting.channels import making
from holdfast.resilience.backoff import full_jitter
from holdfast.settings import Settings
from holdfast.strict import Notation

RETRY_BASE: Final = 1.0
RETRY_CEILING: Final = 300.0
"""Seconds between attempts to send a message, at first and at most."""


class _Handler(Protocol):
    @property
    def classifier(self) -> Classifier: ...


class Owner(Protocol):
    """What alerts need of the runtime that owns them."""

    settings: Settings
    clock: Clock
    redactor: Redactor
    handler: _Handler


def make_alerts(owner: Owner, loader: Loader, notation: Notation) -> Alerts:
    """Return the alerts that the settings describe; what cannot be made is noted by the loader.

    Args:
        owner: The runtime.
        loader: Collects problems.
        notation: How the settings were written.
    """
    told = owner.settings.alerts
    section = notation.spell("alerts")
    rules = _rules(owner.settings, loader, notation, section)
    sending = Sending(
        channels=list(_channels(owner, loader, notation, section)),
        budgets={name: budget.budget() for name, budget in told.budgets.items()},
        pause=pause_by(owner),
        quiet=None if told.quiet_hours is None else told.quiet_hours.hours(),
        labels=_labels(owner.settings),
    )
    folding = loader.attempt(
        notation.join(section, notation.spell("shared")),
        "shared folding",
        lambda: _folding(owner, rules),
    )
    return Alerts(
        rules,
        folding or LocalFolding(rules, owner.clock, Seen()),
        sending,
        clock=owner.clock,
        threaded=not owner.settings.reporting.inline,
    )


def pause_by(owner: Owner) -> Pause:
    """Return what says how long to wait before a message is sent again: if that may help."""
    chance = random.Random()  # noqa: S311  # spreads attempts

    def pause(error: Exception, attempts: int) -> float | None:
        reading = owner.handler.classifier.read(error)
        if not reading.classification.transient:
            return None
        jitter = full_jitter(attempts - 1, base=RETRY_BASE, ceiling=RETRY_CEILING, chance=chance)
        return max(reading.asked, jitter)

    return pause


def _rules(settings: Settings, loader: Loader, notation: Notation, section: str) -> list[AlertRule]:
    made: list[AlertRule] = []
    for name, told in settings.alerts.rules.items():
        steps = notation.spell("rules"), name, notation.spell("action")
        action = loader.load(notation.join(section, *steps), told.action)
        made.append(replace(told.rule(name), action=action))
    return made


def _channels(
    owner: Owner, loader: Loader, notation: Notation, section: str
) -> Iterable[AlertChannel]:
    for name, options in owner.settings.alerts.channels.items():
        place = notation.join(section, notation.spell("channels"), name)
        host = cast("making.Host", owner)
        channel = loader.attempt(
            place,
            options.kind,
            partial(making.make, name, options, host),
        )
        if channel is not None:
            yield channel


def _folding(owner: Owner, rules: list[AlertRule]) -> Folding:
    told = owner.settings
    memory = _memory(told)
    if not told.alerts.shared:
        return LocalFolding(rules, owner.clock, memory or Seen(), release=told.release)
    shared = importlib.import_module("holdfast.integrations.redis_alerts").folding
    return cast(
        "Folding",
        shared(
            told.alerts.shared,
            rules,
            service=told.service,
            release=told.release,
            clock=owner.clock,
            memory=memory,
        ),
    )


def _memory(settings: Settings) -> Memory | None:
    if not settings.alerts.state:
        return None
    made = importlib.import_module("holdfast.reporting.alerts.seen_file").SeenInFile
    return cast("Memory", made(Path(settings.alerts.state), settings.service))


def _labels(settings: Settings) -> Labels:
    return Labels(
        service=settings.service,
        environment=settings.environment,
        release=settings.release,
        host=socket.gethostname(),
    )
