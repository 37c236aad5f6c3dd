"""Alerts as log lines, which need nobody's service."""

import logging

from holdfast.reporting.alerts.message import AlertMessage
from holdfast.reporting.channels.making import Host, Options
from holdfast.reporting.channels.text import Wording, level


def channel(name: str, options: Options, host: Host) -> "LogChannel":
    """Make the channel of kind `log`; it writes to the logger of the reporter `logging`."""
    wording = Wording(host.redactor.text, options.link)
    return LogChannel(name, wording, host.settings.logging.logger)


class LogChannel:
    """Writes one line for each message, at its severity; a recovery at INFO.

    Args:
        name: Of the channel.
        wording: Puts messages into words.
        logger: Name of the logger.
    """

    def __init__(self, name: str, wording: Wording, logger: str = "holdfast") -> None:
        self.name = name
        self._wording = wording
        self._logger = logging.getLogger(logger)

    def send(self, message: AlertMessage) -> None:
        """Write a line, with the facts behind the subject and the alert's id as a field."""
        facts = "; ".join(f"{label}: {text}" for label, text in self._told(message))
        subject = self._wording.subject(message)
        fields = {"alert_id": message.id, "alert_rule": message.rule, "alert_stage": message.stage}
        self._logger.log(level(message), "%s; %s", subject, facts, extra=fields)

    def _told(self, message: AlertMessage) -> list[tuple[str, str]]:
        told = [*self._wording.facts(message).items()]
        address = self._wording.address(message)
        return [*told, ("See", address)] if address else told
