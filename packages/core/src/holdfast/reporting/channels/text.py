"""What every channel says of an alert: the same few facts, in lines that people read.

Redacted once more, although messages are clean: a rule or an action of a project's may have made them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from holdfast.kinds import Severity
from holdfast.reporting.alerts.message import AlertMessage, Stage

MAX_TITLE: Final = 150
MAX_FACT: Final = 500
"""Characters of one fact; the whole record is in the log, under its id."""
_STAGES: Final = {Stage.OPENED: "New", Stage.CONTINUES: "Continues", Stage.RECOVERED: "Recovered"}
_IN_FULL: Final = frozenset({"code", "kind", "fault", "fingerprint", "boundary", "operation"})
"""Attributes of an event that have a fact of their own."""
_MAX_ATTRIBUTES: Final = 10


@dataclass(frozen=True, slots=True)
class Wording:
    """Puts messages into words; pure.

    Args:
        clean: Takes secrets out.
        link: Address that people go on to, with `{id}`, `{rule}`, `{key}`, `{code}`, `{trace_id}`,
            `{record_id}` and `{fingerprint}` in it; empty: none.
    """

    clean: Callable[[str], str] = str
    link: str = ""

    def subject(self, message: AlertMessage) -> str:
        """Return one line: where, at what stage, what."""
        place = " ".join(filter(None, (message.service, message.environment)))
        stage = _STAGES[message.stage]
        return self._line(f"[{place or 'holdfast'}] {stage}: {message.title}", MAX_TITLE)

    def facts(self, message: AlertMessage) -> dict[str, str]:
        """Return what there is to say, by label, the most telling first."""
        said = ((label, self._line(text, MAX_FACT)) for label, text in _facts(message))
        return {label: text for label, text in said if text}

    def address(self, message: AlertMessage) -> str:
        """Return where to go on, or an empty string."""
        names = {name: quote(self.clean(text), safe="") for name, text in _names(message).items()}
        address = self.link
        for name, text in names.items():
            address = address.replace(f"{{{name}}}", text)
        return address

    def lines(self, message: AlertMessage) -> str:
        """Return all as plain text, a fact on each line."""
        facts = self.facts(message)
        address = self.address(message)
        if address:
            facts["See"] = address
        width = max((len(label) for label in facts), default=0) + 1
        told = (f"{label + ':':<{width}} {text}" for label, text in facts.items())
        return "\n".join([self.subject(message), "", *told, ""])

    def _line(self, text: str, longest: int) -> str:
        printable = "".join(c if c.isprintable() else " " for c in self.clean(text))
        line = " ".join(printable.split())
        return line if len(line) <= longest else f"{line[: longest - 1]}…"


def message_key(message: AlertMessage) -> str:
    """Return what tells one message from all others, and stays the same when it is sent again.

    Example:
        >>> from datetime import UTC, datetime
        >>> now = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
        >>> message = AlertMessage(
        ...     id="a1",
        ...     rule="r",
        ...     key="k",
        ...     stage=Stage.OPENED,
        ...     severity=Severity.ERROR,
        ...     title="",
        ...     time=now,
        ...     since=now,
        ...     count=1,
        ...     total=1,
        ... )
        >>> message_key(message)
        'a1-opened'
    """
    # There may be many summaries of one alert, but one opening and one recovery. While processes
    # cannot share, several of them may have a summary of it in the same second.
    number = f"-{int(message.time.timestamp() * 1e6)}" if message.stage is Stage.CONTINUES else ""
    return f"{message.id}-{message.stage}{number}"


def level(message: AlertMessage) -> Severity:
    """Return how loudly a message asks for attention: a recovery asks for none."""
    return Severity.INFO if message.stage is Stage.RECOVERED else message.severity


def _facts(message: AlertMessage) -> Iterator[tuple[str, str]]:
    attributes, record = message.attributes, message.record
    yield "What", _what(message)
    yield "Severity", level(message).name
    yield "How often", _count(message)
    yield "Since", _time(message.since)
    if record is not None:
        yield "Where", " at ".join(filter(None, (record.origin.operation, record.origin.boundary)))
        yield "Latest", ": ".join(filter(None, (record.type, record.message)))
        yield "Trace id", record.trace_id
        yield "Record", record.id
        yield "What to do", record.classification.action
    else:
        yield "Where", _joined(attributes, ("operation", "boundary"), " at ")
        yield "Latest", _further(attributes)
    yield "Running on", " ".join(filter(None, (message.host, message.release)))
    yield "Rule", f"{message.rule}, {message.key}" if message.key else message.rule
    yield "Alert", message.id


def _what(message: AlertMessage) -> str:
    if message.record is not None:
        said = message.record.classification
        return f"{said.code} ({said.kind}, fault of the {said.fault.lower()})"
    return _joined(message.attributes, ("code", "kind"), " ") or message.key


def _count(message: AlertMessage) -> str:
    if message.stage is Stage.OPENED:
        return f"{message.count} so far"
    since = "none" if message.count == 0 else str(message.count)
    return f"{since} since the last message, {message.total} in all"


def _joined(attributes: Mapping[str, object], names: tuple[str, ...], joint: str) -> str:
    return joint.join(str(attributes[name]) for name in names if attributes.get(name))


def _further(attributes: Mapping[str, object]) -> str:
    told = [
        f"{name}={value}"
        for name, value in attributes.items()
        if name not in _IN_FULL and value not in {"", None}
    ]
    return " ".join(told[:_MAX_ATTRIBUTES])


def _names(message: AlertMessage) -> dict[str, str]:
    record, attributes = message.record, message.attributes
    return {
        "id": message.id,
        "rule": message.rule,
        "key": message.key,
        "code": str(attributes.get("code") or ""),
        "fingerprint": str(attributes.get("fingerprint") or ""),
        "trace_id": "" if record is None else record.trace_id,
        "record_id": "" if record is None else record.id,
    }


def _time(point: datetime) -> str:
    return f"{point.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
