"""Asking over HTTP, and collecting what the answer, the logs and the metrics say."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path
from threading import Event
from typing import cast

from examples.walk.processes import LOOK_AGAIN, Running, Server, Site
from examples.walk.step import Behind, Step

ANSWER_TIMEOUT = 10.0
RECORD_TIMEOUT = 3.0
"""Seconds until an error has to be in log and metrics: reporters work behind the answer's back."""
TASK_TIMEOUT = 15.0
"""Seconds until a task has to have succeeded or failed for good."""
METRIC = re.compile(r"(holdfast_\w*errors_total\{.*\}) (\S+)")
OF_TASKS = "celery."
"""How the names of the boundaries begin that are behind the answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    """By name in lower case."""
    text: str

    @property
    def data(self) -> object:
        """The body as JSON; None when it is none."""
        try:
            return cast("object", json.loads(self.text))
        except ValueError:
            return None

    @property
    def trace_id(self) -> str:
        """The id under which the request is recorded."""
        return self.headers.get("x-request-id", "")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one step brought about at one shop."""

    answer: Answer
    logged: list[dict[str, object]]
    """Lines of the log with the answer's id."""
    counted: dict[str, float]
    """Metrics that grew, and by how much."""
    log_text: str = ""
    """The same lines as they were written."""
    behind: tuple[dict[str, object], ...] = ()
    """Lines with the answer's id about what went on after it."""
    mails: int = 0
    """Mails that went out under the answer's id."""


def take_at(site: Site, step: Step, shop: Server) -> Outcome:
    """Take a step at a shop, and follow the task that its request sends."""
    worker = site.works_for(shop)
    read_from = worker.log.stat().st_size
    outcome = take(step, shop)
    if step.behind is None:
        return outcome
    for _ in range(int(TASK_TIMEOUT / LOOK_AGAIN)):
        outcome = _follow(outcome, worker, read_from, site.neighbours)
        if is_over(step.behind, outcome):
            break
        Event().wait(LOOK_AGAIN)
    return outcome


def is_over(wanted: Behind, found: Outcome) -> bool:
    """Tell whether a task has come to an end, as far as that can be seen."""
    return bool(failures(found.behind) if wanted.code else found.mails or not wanted.mail)


def failures(lines: Iterable[dict[str, object]]) -> list[dict[str, object]]:
    """Return the lines that each stand for an error."""
    return [line for line in lines if line.get("event") == "error.handled"]


def _follow(outcome: Outcome, worker: Running, read_from: int, neighbours: Server) -> Outcome:
    trace_id = outcome.answer.trace_id
    lines = [as_object(line) for line in log_lines(worker.log, read_from, trace_id)]
    return replace(
        outcome,
        behind=tuple(line for line in lines if is_of_task(line)),
        mails=mails_under(neighbours, trace_id),
    )


def is_of_task(line: dict[str, object]) -> bool:
    """Tell whether a line is about what goes on behind the answers."""
    return str(line.get("origin", "")).startswith(OF_TASKS)


def mails_under(neighbours: Server, trace_id: str) -> int:
    """Return how many mails have gone out under an id."""
    found = cast("dict[str, list[dict[str, object]]]", ask(neighbours, "GET", "/mails").data)
    return sum(mail["id"] == trace_id for mail in found["mails"])


def take(step: Step, shop: Server) -> Outcome:
    """Send a step's request and wait until what it causes at the shop is recorded."""
    before = metrics(shop)
    read_from = shop.log.stat().st_size
    answer = ask(shop, step.method, step.path, step.request_body(), step.all_request_headers())
    outcome = _look(answer, shop, read_from, before)
    for _ in range(int(RECORD_TIMEOUT / LOOK_AGAIN) if step.code else 0):
        if outcome.counted and (outcome.logged or not step.level):
            break
        Event().wait(LOOK_AGAIN)
        outcome = _look(answer, shop, read_from, before)
    return outcome


def _look(answer: Answer, shop: Server, read_from: int, before: dict[str, float]) -> Outcome:
    found = log_lines(shop.log, read_from, answer.trace_id)
    lines = [line for line in found if not is_of_task(as_object(line))]
    grown = {name: value - before.get(name, 0) for name, value in metrics(shop).items()}
    counted = {name: growth for name, growth in grown.items() if growth}
    return Outcome(answer, [as_object(line) for line in lines], counted, "\n".join(lines))


def recorded(shop: Server) -> tuple[float, int]:
    """Return how many errors are in a shop's metrics and in its log, since it was started."""
    counted = sum(
        n for name, n in metrics(shop).items() if name.startswith("holdfast_errors_total")
    )
    lines = [as_object(line) for line in shop.said().splitlines()]
    return counted, len([line for line in failures(lines) if not is_of_task(line)])


def ask(
    shop: Server,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """Send one request."""
    connection = HTTPConnection("127.0.0.1", shop.port, timeout=ANSWER_TIMEOUT)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        text = response.read().decode()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, text)
    finally:
        connection.close()


def metrics(shop: Server) -> dict[str, float]:
    """Return the counters of requests' errors by name and labels."""
    text = ask(shop, "GET", "/metrics").text
    found = {name: float(value) for name, value in METRIC.findall(text)}
    return {name: value for name, value in found.items() if f'boundary="{OF_TASKS}' not in name}


def log_lines(log: Path, read_from: int, trace_id: str) -> Iterator[str]:
    """Yield the lines with an id that were written behind a position of a log."""
    with log.open("rb") as file:
        file.seek(read_from)
        for line in file.read().decode(errors="replace").splitlines():
            if trace_id in line and trace_id and as_object(line).get("trace_id") == trace_id:
                yield line


def as_object(line: str) -> dict[str, object]:
    """Return the JSON object in a line; an empty one when there is none."""
    try:
        found: object = json.loads(line)
    except ValueError:
        return {}
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}
