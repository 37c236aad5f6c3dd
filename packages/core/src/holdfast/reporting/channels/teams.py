"""Alerts as Adaptive Cards, in the shape that the Workflows of Microsoft Teams take at a webhook.

The workflow is the template that posts to a channel when a webhook request is received; the
connectors that took other cards are gone.
"""

from typing import Final

from holdfast.reporting.alerts.message import AlertMessage, Stage
from holdfast.reporting.channels.making import Host, Options
from holdfast.reporting.channels.text import Wording
from holdfast.reporting.channels.webhook import WebhookChannel, posting

_MAX_FACT: Final = 300
"""Characters of a fact: a message with more than 28 KB is turned down."""
_COLOURS: Final = {
    Stage.OPENED: "Attention",
    Stage.CONTINUES: "Warning",
    Stage.RECOVERED: "Good",
}


def channel(name: str, options: Options, host: Host) -> WebhookChannel:
    """Make the channel of kind `teams`."""
    return posting(name, options, host, teams)


def teams(message: AlertMessage, wording: Wording) -> dict[str, object]:
    """Return a message with one card: a title, the facts, and a link where there is one."""
    subject = escaped(wording.subject(message))
    title = {
        "type": "TextBlock",
        "text": subject,
        "size": "Large",
        "weight": "Bolder",
        "color": _COLOURS[message.stage],
        "wrap": True,
    }
    facts = [
        {"title": label, "value": escaped(text[:_MAX_FACT])}
        for label, text in wording.facts(message).items()
    ]
    card: dict[str, object] = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "fallbackText": subject,
        "msteams": {"width": "Full"},
        "body": [title, {"type": "FactSet", "facts": facts}],
    }
    address = wording.address(message)
    if address:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "See more", "url": address}]
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "summary": subject, "attachments": [attachment]}


def escaped(text: str) -> str:
    """Return text in which no link hides its address: cards read a part of Markdown.

    Nothing else of it is escaped, so that a code can be copied as it is.

    Example:
        >>> escaped("[here](https://evil.example)")
        '[here] (https://evil.example)'
    """
    return text.replace("](", "] (")
