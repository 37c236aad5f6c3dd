"""What is wrong with an outcome, in words; nothing, when all is as it should be."""

import re
from collections.abc import Iterator

from examples.walk.answers import Answer, Outcome
from examples.walk.steps import JSON, Step

MISSING = object()
IDS_AND_TIMES = re.compile(
    r'"(?:trace_id|timestamp|instance)": ?"[^"]*"|<code>[0-9a-z._:-]+</code>'
    r'|"(?:time|observedValue)": ?[^,}]*'
)
"""What differs between two answers to the same error."""


def objections(step: Step, outcome: Outcome) -> list[str]:
    """Return one sentence for everything that is not as the step says."""
    return [
        *_about_answer(step, outcome.answer),
        *_about_log(step, outcome),
        *_about_metrics(step, outcome),
        *_about_secrets(step, outcome),
    ]


def same_body(one: Answer, other: Answer) -> bool:
    """Tell whether two bodies are equal but for ids and times."""
    return comparable(one) == comparable(other)


def comparable(answer: Answer) -> object:
    """Return a body without its ids and times, as JSON where it is JSON."""
    return IDS_AND_TIMES.sub("", re.sub(r"\s*([,:{}\[\]])\s*", r"\1", answer.text))


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
    wanted = {"except.code": step.code} if step.code and step.content_type == JSON else {}
    for path, expected in {**wanted, **step.body}.items():
        actual = value_at(answer.data, path)
        if actual != expected:
            yield f"{path}: expected {expected!r}, got {_shown(actual)}"
    yield from (f"body: expected {text!r} in it" for text in step.shows if text not in answer.text)


def _about_log(step: Step, outcome: Outcome) -> Iterator[str]:
    lines = [line for line in outcome.logged if line.get("event") == "error.handled"]
    wanted = 1 if step.code and step.level else 0
    if len(lines) != wanted:
        yield f"log: expected {wanted} line(s) about an error, got {len(lines)}"
        return
    for line in lines:
        for name, expected in {"code": step.code, "level": step.level}.items():
            if line.get(name) != expected:
                yield f"log, {name}: expected {expected}, got {line.get(name)}"


def _about_metrics(step: Step, outcome: Outcome) -> Iterator[str]:
    if not step.code:
        yield from (f"metrics: expected no change, got {name}" for name in outcome.counted)
        return
    by_code = [n for name, n in outcome.counted.items() if f'code="{step.code}"' in name]
    if by_code != [1]:
        yield f"metrics: expected one more error with code {step.code}, got {outcome.counted}"


def _about_secrets(step: Step, outcome: Outcome) -> Iterator[str]:
    places = {
        "body": outcome.answer.text,
        "log": outcome.log_text,
        "metrics": " ".join(outcome.counted),
    }
    for secret in step.hides:
        yield from (
            f"{place}: leaks {secret!r}" for place, text in places.items() if secret in text
        )


def value_at(data: object, path: str) -> object:
    """Return the value at a dotted path of nested dictionaries; `MISSING` when it is not there."""
    for name in path.split("."):
        data = data.get(name, MISSING) if isinstance(data, dict) else MISSING
    return data


def _shown(value: object) -> str:
    return "nothing" if value is MISSING else repr(value)
