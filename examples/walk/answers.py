"""Asking over HTTP, and collecting what the answer, the log and the metrics say."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from threading import Event
from typing import cast

from examples.walk.processes import Server
from examples.walk.steps import Step

ANSWER_TIMEOUT = 10.0
RECORD_TIMEOUT = 3.0
"""Seconds until an error has to be in log and metrics: reporters work behind the answer's back."""
LOOK_AGAIN = 0.02
METRIC = re.compile(r"(holdfast_\w*errors_total\{.*\}) (\S+)")


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


def take(step: Step, shop: Server) -> Outcome:
    """Send a step's request and wait until what it causes is recorded."""
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
    lines = list(log_lines(shop, read_from, answer.trace_id))
    grown = {name: value - before.get(name, 0) for name, value in metrics(shop).items()}
    counted = {name: growth for name, growth in grown.items() if growth}
    return Outcome(answer, [_object(line) for line in lines], counted, "\n".join(lines))


def recorded(shop: Server) -> tuple[float, int]:
    """Return how many errors are in a shop's metrics and in its log, since it was started."""
    counted = sum(
        n for name, n in metrics(shop).items() if name.startswith("holdfast_errors_total")
    )
    lines = shop.log.read_text(errors="replace").splitlines()
    return counted, sum(_object(line).get("event") == "error.handled" for line in lines)


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
    """Return the counters of errors by name and labels."""
    text = ask(shop, "GET", "/metrics").text
    return {name: float(value) for name, value in METRIC.findall(text)}


def log_lines(shop: Server, read_from: int, trace_id: str) -> Iterator[str]:
    """Yield the lines with an id that were written behind a position of the log."""
    with shop.log.open("rb") as file:
        file.seek(read_from)
        for line in file.read().decode(errors="replace").splitlines():
            if trace_id and _object(line).get("trace_id") == trace_id:
                yield line


def _object(line: str) -> dict[str, object]:
    try:
        found: object = json.loads(line)
    except ValueError:
        return {}
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}
