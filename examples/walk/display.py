"""What the demo prints: colours on a terminal, plain text everywhere else."""

import json
import os
import sys
from collections.abc import Mapping

from examples.walk.alerts import Told
from examples.walk.answers import Outcome
from examples.walk.outage import Seen
from examples.walk.processes import Server
from examples.walk.scheduled import Watched
from examples.walk.statistics import Counted
from examples.walk.step import Step

COLOURS = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "cyan": 36}
SHOWN_HEADERS = (
    "content-type",
    "x-request-id",
    "traceparent",
    "retry-after",
    "www-authenticate",
    "allow",
    "content-language",
    "vary",
)
LONGEST = 500
"""Characters shown of one line."""
LOGGED = (
    "code",
    "kind",
    "fault",
    "recovered",
    "trace_id",
    "fingerprint",
    "operation",
    "details",
    "causes",
)


def colourful() -> bool:
    """Tell whether colours are wanted: on a terminal, unless NO_COLOR is set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def paint(text: str, *styles: str) -> str:
    """Return a text in colour, where colours are wanted."""
    if not colourful():
        return text
    codes = ";".join(str(COLOURS[style]) for style in styles)
    return f"\x1b[{codes}m{text}\x1b[0m"


def say(text: str = "") -> None:
    """Print one piece at once, so that progress can be followed."""
    print(text, flush=True)


def section(title: str) -> None:
    """Print the title of a part of the walk."""
    say(f"\n{paint(title, 'bold', 'cyan')}\n{paint('─' * len(title), 'cyan')}")


def step_title(number: int, total: int, title: str) -> None:
    """Print what is shown next."""
    say(f"\n{paint(f'[{number}/{total}] {title}', 'bold')}")


def asked(what: str) -> None:
    """Print what is asked for."""
    say(f"  → {what}")


def request(step: Step) -> None:
    """Print what is asked over HTTP."""
    body = step.request_body()
    sent = "" if body is None else f"  {_cut(body.decode(), 100)}"
    asked(f"{step.ask}{paint(sent, 'dim')}")
    for name, value in step.request_headers.items():
        say(f"    {name}: {_cut(value, 100)}")


def outcome(shop: Server, found: Outcome) -> None:
    """Print an answer in full, with what was recorded of it."""
    answer = found.answer
    say(
        f"  ← {paint(str(answer.status), 'bold', _colour(answer.status))}  {paint(shop.name, 'dim')}"
    )
    for name in SHOWN_HEADERS:
        if name in answer.headers:
            say(paint(f"    {name}: {answer.headers[name]}", "dim"))
    data = answer.data
    text = answer.text if data is None else json.dumps(data, ensure_ascii=False, indent=2)
    for line in text.splitlines():
        say(f"    {_cut(line)}")
    for entry in found.logged:
        log_line("log", entry)
    for name, grown in found.counted.items():
        say(f"  {paint('metric', 'yellow')}  {name} +{grown:g}")
    behind(found)


def behind(found: Outcome) -> None:
    """Print what went on after an answer."""
    for entry in found.behind:
        log_line("task", entry)
    if found.mails:
        what = f"{found.mails} mail went out under {found.answer.trace_id}"
        say(f"  {paint('mail', 'yellow')}    {what}")


def log_line(where: str, entry: Mapping[str, object]) -> None:
    """Print a line of a log."""
    said = f"{entry.get('level')} {_cut(str(entry.get('message')))}"
    say(f"  {paint(f'{where:<8}', 'yellow')}{said}")
    say(paint(f"          {_facts(entry)}", "dim"))


def watched(seen: Watched) -> None:
    """Print the runs of an entry of the schedule: one in full, of the others their ids."""
    say(f"  ← {seen.runs} runs of {seen.sent} that beat sent, {len(seen.records)} records")
    for entry in seen.records[:1]:
        log_line("record", entry)
    for entry in seen.records[1:3]:
        say(paint(f"          trace_id={json.dumps(entry.get('trace_id'))}", "dim"))


def outage(seen: Seen) -> None:
    """Print how a shop is in the course of an outage."""
    why = f" ({seen.why})" if seen.why else ""
    say(f"  ← live {seen.live}, ready {seen.ready}, payment gateway {seen.check}{why}")
    say(f"  {paint('told    ', 'yellow')}{', then '.join(seen.told) or 'nobody'}")


def job(status: int, lines: list[tuple[str, str, str]]) -> None:
    """Print how a run of a job ended."""
    say(f"  ← exit status {paint(str(status), 'bold', 'yellow' if status else 'green')}")
    for level, trace_id, message in lines:
        say(f"  {paint('record  ', 'yellow')}{level} {_cut(message)}")
        say(paint(f"          trace_id={json.dumps(trace_id)}", "dim"))


def ready(name: str) -> None:
    """Print that a process is there."""
    say(f"  {paint('✓', 'green')} {name}")


def left_out(why: str) -> None:
    """Print that a step is not taken here."""
    say(f"  {paint('left out', 'yellow')}: {why}")


def statistics_title(width: int) -> None:
    """Print what stands in the columns of the statistics.

    Args:
        width: Of the names of the shops.
    """
    columns = "requests  errors  recovered  error rate  the commonest codes"
    say(paint(f"  {'':{width + 2}}  {columns}", "dim"))


def statistics(name: str, counted: Counted, wrong: list[str]) -> None:
    """Print the statistics of one shop."""
    codes = ", ".join(f"{code} {number}" for code, number in counted.commonest())
    say(
        f"  {verdict(name, '', wrong)}  {counted.requests:>8}  {counted.errors:>6}"
        f"  {counted.recovered:>9}  {counted.error_rate:>10.1%}  {codes}"
    )


def alerts(name: str, told: dict[str, list[Told]], wrong: list[str]) -> None:
    """Print what was told of one shop."""
    say(f"  {verdict(name, '', wrong)}")
    for alert, messages in told.items():
        course = ", ".join(f"{one.stage} {one.count or ''}".rstrip() for one in messages)
        say(f"      {paint(alert, 'yellow')}: {course}")


def verdict(name: str, got: str, wrong: list[str]) -> str:
    """Return one shop's result in few words."""
    return paint(f"✗ {name} {got}", "red") if wrong else paint(f"✓ {name}", "green")


def complaint(name: str, wrong: list[str]) -> None:
    """Print what is not as it should be."""
    for text in wrong:
        say(paint(f"    {name}: {_cut(text, 2000)}", "red"))


def _facts(line: Mapping[str, object]) -> str:
    facts = {name: line[name] for name in LOGGED if name in line}
    return _cut(
        "  ".join(f"{name}={json.dumps(v, ensure_ascii=False)}" for name, v in facts.items())
    )


def _colour(status: int) -> str:
    return "green" if status < 400 else "yellow" if status < 500 else "red"


def _cut(text: str, most: int = LONGEST) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
