"""Alerts in the shape of Slack's incoming webhooks: blocks, and text for notifications."""

from typing import Final

from holdfast.reporting.alerts.message import AlertMessage, Stage
from holdfast.reporting.channels.making import Host, Options
from holdfast.reporting.channels.text import Wording
from holdfast.reporting.channels.webhook import WebhookChannel, posting

_MAX_HEADER: Final = 150
_MAX_SECTION: Final = 3000
_MARKS: Final = {
    Stage.OPENED: ":red_circle:",
    Stage.CONTINUES: ":large_orange_circle:",
    Stage.RECOVERED: ":large_green_circle:",
}


def channel(name: str, options: Options, host: Host) -> WebhookChannel:
    """Make the channel of kind `slack`."""
    return posting(name, options, host, slack)


def slack(message: AlertMessage, wording: Wording) -> dict[str, object]:
    """Return a header, the facts as one section, and a link where there is one."""
    subject = wording.subject(message)
    facts = "\n".join(
        f"*{label}:* {escaped(text)}" for label, text in wording.facts(message).items()
    )
    blocks: list[object] = [
        {
            "type": "header",
            "text": {"type": "plain_text", "text": subject[:_MAX_HEADER], "emoji": False},
        },
        {"type": "section", "text": {"type": "mrkdwn", "text": _cut(facts), "verbatim": True}},
    ]
    address = wording.address(message)
    if address:
        link = {"type": "mrkdwn", "text": f"<{escaped(address).replace('|', '%7C')}|See more>"}
        blocks.append({"type": "context", "elements": [link]})
    return {"text": f"{_MARKS[message.stage]} {escaped(subject)}", "blocks": blocks}


def escaped(text: str) -> str:
    """Return text that Slack shows as it is: it can neither mention anybody nor pass for a link.

    Example:
        >>> escaped("<!channel> & <https://evil.example|here>")
        '&lt;!channel&gt; &amp; &lt;https://evil.example|here&gt;'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(facts: str) -> str:
    """Keep whole lines: half a line could end in the middle of an escape."""
    while len(facts) > _MAX_SECTION:
        facts = facts.rpartition("\n")[0]
    return facts
