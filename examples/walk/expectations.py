"""What is wrong with an outcome, in words; nothing, when all is as it should be."""

import re
from collections.abc import Iterator, Mapping
from threading import Event
from typing import cast

from examples.walk.answers import RECORD_TIMEOUT, Answer, Outcome, failures, recorded
from examples.walk.processes import LOOK_AGAIN, Server
from examples.walk.step import JSON, Step

ERRORS, RECOVERED = "holdfast_errors_total", "holdfast_recovered_errors_total"
MISSING = object()
IDS_AND_TIMES = frozenset({"trace_id", "timestamp", "instance"})
"""What differs between two answers to the same error."""
TRACE_ID_ON_PAGE = re.compile(r"<code>[0-9a-z._:-]+</code>")


def objections(step: Step, outcome: Outcome) -> list[str]:
    """Return one sentence for everything that is not as the step says."""
    return [
        *_about_answer(step, outcome.answer),
        *_about_log(step, outcome),
        *_about_metrics(step, outcome),
        *_about_secrets(step, outcome),
        *_about_task(step, outcome),
    ]


def audit(
    shop: Server, errors: float, lines: int, *, patience: float = RECORD_TIMEOUT
) -> list[str]:
    """Return what is wrong with the totals: something recorded twice, or that was no error.

    Args:
        shop: Whose records are counted.
        errors: How many errors the metrics have to hold.
        lines: How many of them the log has to hold.
        patience: Seconds that the last of them may take.
    """
    counted, logged = recorded(shop)
    for _ in range(int(patience / LOOK_AGAIN)):
        if (counted, logged) == (errors, lines):
            return []
        Event().wait(LOOK_AGAIN)
        counted, logged = recorded(shop)
    return [
        f"metrics: expected {errors:g} errors in all, got {counted:g}",
        f"log: expected {lines} lines about errors in all, got {logged}",
    ]


def same_body(one: Answer, other: Answer) -> bool:
    """Tell whether two bodies are equal but for ids and times."""
    return comparable(one) == comparable(other)


def comparable(answer: Answer) -> object:
    """Return a body without its ids and times."""
    data = answer.data
    return TRACE_ID_ON_PAGE.sub("", answer.text) if data is None else _without_ids(data)


def _without_ids(data: object) -> object:
    if not isinstance(data, dict):
        return data
    items = cast("dict[str, object]", data).items()
    return {name: _without_ids(value) for name, value in items if name not in IDS_AND_TIMES}


def _about_answer(step: Step, answer: Answer) -> Iterator[str]:
    if answer.status != step.status:
        yield f"status: expected {step.status}, got {answer.status}"
    if not answer.trace_id:
        yield "X-Request-ID: expected one, got none"
    yield from _about_headers(step, answer)
    yield from _about_body(step, answer)


def _about_headers(step: Step, answer: Answer) -> Iterator[str]:
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    if step.content_type not in (media_type, "*"):
        yield f"Content-Type: expected {step.content_type}, got {media_type}"
    for name, wanted in step.headers.items():
        found = answer.headers.get(name.lower())
        if found is None or wanted not in ("*", found):
            yield f"{name}: expected {wanted}, got {found}"


def _about_body(step: Step, answer: Answer) -> Iterator[str]:
    told = step.code and not step.recovered and step.content_type == JSON
    wanted = {"except.code": step.code} if told else {}
    for path, expected in {**wanted, **step.body}.items():
        actual = value_at(answer.data, path)
        if actual != expected:
            yield f"{path}: expected {expected!r}, got {_shown(actual)}"
    yield from (f"body: expected {text!r} in it" for text in step.shows if text not in answer.text)


def _about_log(step: Step, outcome: Outcome) -> Iterator[str]:
    lines = failures(outcome.logged)
    wanted = 1 if step.code and step.level else 0
    if len(lines) != wanted:
        yield f"log: expected {wanted} line(s) about an error, got {len(lines)}"
        return
    for line in lines:
        for name, expected in {"code": step.code, "level": step.level}.items():
            if line.get(name) != expected:
                yield f"log, {name}: expected {expected}, got {line.get(name)}"
        if bool(line.get("recovered")) is not step.recovered:
            yield f"log, recovered: expected {step.recovered}, got {line.get('recovered')}"


def _about_metrics(step: Step, outcome: Outcome) -> Iterator[str]:
    if not step.code:
        yield from (f"metrics: expected no change, got {name}" for name in outcome.counted)
        return
    for metric, wanted in {ERRORS: 1, RECOVERED: int(step.recovered)}.items():
        if _growth(outcome, metric, step.code) != wanted:
            what = "recovered error" if metric == RECOVERED else "error"
            much = "one more" if wanted else "no"
            yield f"metrics: expected {much} {what} with code {step.code}, got {outcome.counted}"


def _growth(outcome: Outcome, metric: str, code: str) -> float:
    of_code = f'code="{code}"'
    counted = outcome.counted.items()
    return sum(n for name, n in counted if name.startswith(f"{metric}{{") and of_code in name)


def _about_secrets(step: Step, outcome: Outcome) -> Iterator[str]:
    places = {
        "body": outcome.answer.text,
        "log": outcome.log_text,
        "metrics": " ".join(outcome.counted),
    }
    for text in step.keeps:
        if text in outcome.answer.text:
            yield f"body: tells callers {text!r}"
        if text not in outcome.log_text:
            yield f"log: expected {text!r} in it"
    for secret in step.hides:
        yield from (
            f"{place}: leaks {secret!r}" for place, text in places.items() if secret in text
        )


def _about_task(step: Step, outcome: Outcome) -> Iterator[str]:
    wanted = step.behind
    if wanted is None:
        return
    found = failures(outcome.behind)
    if len(found) != bool(wanted.code):
        yield f"behind: expected {int(bool(wanted.code))} error(s) under the id, got {len(found)}"
    if outcome.mails != wanted.mail:
        yield f"behind: expected {int(wanted.mail)} mail(s) under the id, got {outcome.mails}"
    facts = {"code": wanted.code, "level": wanted.level, "operation": wanted.task}
    for line in found:
        yield from differences(line, {**facts, "origin": "celery.task"})


def differences(line: Mapping[str, object], facts: Mapping[str, object]) -> Iterator[str]:
    """Say in which of some facts a line differs."""
    for name, expected in facts.items():
        if line.get(name) != expected:
            yield f"record, {name}: expected {expected}, got {line.get(name)}"


def value_at(data: object, path: str) -> object:
    """Return the value at a dotted path of nested dictionaries; `MISSING` when it is not there."""
    for name in path.split("."):
        if not isinstance(data, dict):
            return MISSING
        data = cast("dict[str, object]", data).get(name, MISSING)
    return data


def _shown(value: object) -> str:
    return "nothing" if value is MISSING else repr(value)
