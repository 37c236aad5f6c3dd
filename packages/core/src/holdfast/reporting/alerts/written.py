"""What messages say, by what they are about: events of a rule, or what was announced."""

from datetime import datetime, timedelta
from typing import Final, TypedDict

from holdfast.reporting.alerts.folding import Due
from holdfast.reporting.alerts.message import AlertMessage, Stage
from holdfast.reporting.alerts.news import News

QUIET_RULE: Final = "quiet-hours"
BUDGET_RULE: Final = "budget"
"""Rules, by name, of messages about messages."""


class Labels(TypedDict, total=False):
    """Whose alerts they are, as every message says."""

    service: str
    environment: str
    release: str
    host: str


def message_of(due: Due, labels: Labels, now: datetime) -> AlertMessage:
    """Return the message of an alert that a rule has."""
    said, turn = due.sample, due.turn
    told = turn.total if turn.stage is Stage.RECOVERED else turn.events
    number = f", {told} events" if told > 1 else ""
    return AlertMessage(
        id=turn.id,
        rule=due.rule.name,
        key=due.key,
        stage=turn.stage,
        severity=said.severity,
        title=": ".join(filter(None, (due.rule.name, due.key))) + number,
        time=now,
        since=now - timedelta(seconds=due.age),
        count=turn.events,
        total=turn.total,
        **labels,
        attributes=said.attributes,
        record=said.record,
    )


def announcement(news: News, labels: Labels, now: datetime) -> AlertMessage:
    """Return the message of what no rule is about."""
    return AlertMessage(
        id=news.id,
        rule=news.source,
        key=news.key,
        stage=news.stage,
        severity=news.severity,
        title=news.title,
        time=now,
        since=news.since,
        count=news.count,
        total=news.total,
        **labels,
        attributes=news.attributes,
    )
