"""Answers to probes: statuses, headers, who is told what, and that nothing else gets out."""

import json
from collections.abc import Iterator
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from holdfast.health import HealthRegistry, HealthStatus, Ttl, degraded
from holdfast.health.disclosure import Caller, Disclosure
from holdfast.health.probes import MAX_TAGS, Probe, Probes
from holdfast.health.rendering.formats import FORMATS
from holdfast.testing import FakeClock
from tests.core.health_pages import PARSERS, PARSING

pytestmark = pytest.mark.extra(*PARSING)

FRIEND = Caller(is_trusted=True)
METRICS = ("openmetrics", "prometheus")
SECRETS = {
    "password": "hunter2-of-the-database",
    "dsn": "postgresql://shop:hunter2-of-the-dsn@db.internal/shop",
    "note": "sent with Authorization: Bearer abcdef0123456789abcdef0123456789",
    "card": "4111 1111 1111 1111",
}
HIDDEN = ("hunter2", "abcdef0123456789", "4111 1111 1111 1111", "4111111111111111")
CANARIES = (
    "canary-name",
    "canary-output",
    "canary-detail",
    "canary-key",
    "canary-text",
    "canary-reason",
    "canary-service",
    "canary-release",
    "canary-tag",
    "CanaryError",
    "db.internal",
    "process:readiness",
)


class CanaryError(Exception):
    """A class whose name tells how the check looks."""


def raises() -> object:
    """Fail with words that are not for strangers."""
    raise CanaryError("canary-text at db.internal: " + SECRETS["dsn"])


@pytest.fixture
def registry() -> HealthRegistry:
    """Make a registry whose clock stands still."""
    return HealthRegistry(FakeClock())


@pytest.fixture(scope="module")
def leaky() -> Iterator[Probes]:
    """Answer for a service that says everything wherever it can; its checks run once."""
    keep = Ttl(passing=3600, warning=3600, failing=3600)
    registry = HealthRegistry(FakeClock(), ttl=keep)
    registry.register_check("canary-name", raises, tags=["canary-tag"])
    registry.register_check("dsn", lambda: {**SECRETS, "canary-key": "canary-detail"})
    registry.register_check(
        f"check of {SECRETS['dsn']}",
        lambda: degraded(f"canary-output of {SECRETS['dsn']}", host="db.internal"),
        groups=["ready", "live"],
    )
    registry.register_check(f"check of {SECRETS['dsn'].replace('2', '22')}", lambda: True)
    registry.mark_unready(f"canary-reason: cannot reach {SECRETS['dsn']}")
    yield Probes(
        registry,
        Disclosure(token="a-token-of-24-characters"),
        service=f"canary-service {SECRETS['dsn']}",
        release="canary-release",
    )
    registry.close()


@pytest.mark.parametrize(
    ("said", "critical", "status", "code"),
    [
        (True, True, "pass", 200),
        (degraded("lags"), True, "warn", 200),
        (False, False, "warn", 200),
        (False, True, "fail", 503),
    ],
)
def test_a_failure_answers_503_and_anything_else_200(
    registry: HealthRegistry, *, said: object, critical: bool, status: str, code: int
) -> None:
    """A warning serves; only a failure says when to come again."""
    registry.register_check("one", lambda: said, critical=critical)

    answer = Probes(registry, retry_after=2.5).answer(Probe(group="ready"))

    assert (answer.status, answer.body) == (code, b'{"status":"%s"}' % status.encode())
    assert answer.headers.get("Retry-After") == ("3" if code == 503 else None)


@pytest.mark.parametrize("name", METRICS)
def test_metrics_answer_200_whatever_they_say(registry: HealthRegistry, name: str) -> None:
    """A scraper would take anything else for its own failure."""
    registry.register_check("one", lambda: False)

    answer = Probes(registry).answer(Probe(group="ready", format=name))

    assert (answer.status, "Retry-After" in answer.headers) == (200, False)
    assert b'holdfast_health_status{group="ready",status="fail"} 1' in answer.body


@pytest.mark.parametrize("name", FORMATS)
def test_no_answer_is_kept_or_guessed_at(registry: HealthRegistry, name: str) -> None:
    """Whoever asks next may see less, or more."""
    answer = Probes(registry).answer(Probe(format=name))

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Vary"] == "Accept, Authorization"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.content_type == FORMATS[name].content_type


@pytest.mark.parametrize("name", ["html", "html-still"])
def test_the_page_comes_with_its_policy(registry: HealthRegistry, name: str) -> None:
    """Beside the headers of every answer, not instead of them."""
    answer = Probes(registry).answer(Probe(format=name))

    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", FORMATS)
def test_the_head_is_that_of_the_whole_answer(leaky: Probes, name: str) -> None:
    """The same but for the body, whose length is told."""
    whole = leaky.answer(Probe(format=name, caller=FRIEND))
    head = leaky.answer(Probe(format=name, caller=FRIEND, is_head=True))

    assert (head.body, head.length) == (b"", len(whole.body))
    assert (head.status, head.content_type) == (whole.status, whole.content_type)
    assert head.headers == whole.headers


@pytest.mark.parametrize(
    ("accept", "asked", "format_"),
    [
        ("*/*", "", "openmetrics"),
        ("text/plain;version=0.0.4", "", "prometheus"),
        ("text/html", "", "openmetrics"),
        ("", "nonsense", "openmetrics"),
        ("*/*", "json", "json"),
    ],
)
def test_the_address_of_metrics_answers_with_metrics(
    registry: HealthRegistry, accept: str, asked: str, format_: str
) -> None:
    """Of all checks; another format is had by its name."""
    registry.register_check("one", lambda: True, groups=["own"])

    answer = Probes(registry).answer(
        Probe(group="metrics", accept=accept, format=asked, caller=FRIEND)
    )

    assert answer.content_type == FORMATS[format_].content_type
    assert b'"one"' in answer.body


def test_tags_pick_checks_for_whoever_sees_details(registry: HealthRegistry) -> None:
    """A stranger cannot find out by them what there is; whoever may, gets any of several."""
    registry.register_check("one", lambda: True, tags=["storage"])
    registry.register_check("two", lambda: False, tags=["network"])
    registry.register_check("three", lambda: True)
    probes = Probes(registry)

    def asked(*tags: str, caller: Caller) -> dict[str, object]:
        said = probes.answer(Probe(format="json", tags=tags, caller=caller)).body
        return cast("dict[str, object]", json.loads(said))

    assert list(cast("dict[str, object]", asked("storage", caller=FRIEND)["checks"])) == ["one"]
    assert asked("storage", caller=FRIEND)["status"] == "pass"
    several = asked("storage", "network", caller=FRIEND)["checks"]
    assert list(cast("dict[str, object]", several)) == ["one", "two"]
    assert asked("storage", caller=Caller()) == {"status": "fail"}


def test_of_very_many_tags_the_first_are_heeded(registry: HealthRegistry) -> None:
    """A query costs no more than it must."""
    registry.register_check("one", lambda: True, tags=["storage"])
    tags = (*("x" * 5 for _ in range(MAX_TAGS)), "storage")

    answer = Probes(registry).answer(Probe(format="json", tags=tags, caller=FRIEND))

    assert list(json.loads(answer.body)["checks"]) == ["probe:tags"]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("group", ["", "ready", "live", "metrics"])
def test_a_stranger_is_told_the_status_and_nothing_else(
    leaky: Probes, name: str, group: str
) -> None:
    """No name, output, detail, class, text, reason, service, release or tag."""
    answer = leaky.answer(Probe(group=group, format=name, tags=("canary-tag",)))
    said = answer.body.decode() + repr(answer.headers) + answer.content_type

    assert [canary for canary in (*CANARIES, *HIDDEN, "hunter") if canary in said] == []


@pytest.mark.parametrize("status", HealthStatus)
@pytest.mark.parametrize("name", FORMATS)
def test_strangers_cannot_tell_services_apart(name: str, status: HealthStatus) -> None:
    """Two with nothing in common but their status answer with the same bytes."""
    said = {"pass": True, "warn": degraded("lags"), "fail": False}[status.value]
    bodies: set[bytes] = set()
    for service, checks in (("shop", ["one"]), ("bank", ["two", "three"])):
        registry = HealthRegistry(FakeClock())
        for check in checks:
            registry.register_check(check, lambda: said)
        bodies.add(Probes(registry, service=service).answer(Probe(format=name)).body)

    assert len(bodies) == 1


@pytest.mark.parametrize("name", FORMATS)
def test_nobody_is_told_a_secret(leaky: Probes, name: str) -> None:
    """By key, by shape, in names, outputs, details, reasons and texts of exceptions."""
    said = leaky.answer(Probe(format=name, caller=FRIEND)).body.decode()

    assert [secret for secret in HIDDEN if secret in said] == []
    assert "canary-name" in said


def test_whoever_may_is_told_everything_else(leaky: Probes) -> None:
    """What was hidden above is there to be hidden."""
    said = leaky.answer(Probe(format="json", caller=FRIEND)).body.decode()

    assert [canary for canary in CANARIES if canary != "canary-tag" and canary not in said] == []


def test_names_without_their_secrets_stay_different(leaky: Probes) -> None:
    """Two databases whose passwords are all that differs are still two checks."""
    checks = json.loads(leaky.answer(Probe(format="json", caller=FRIEND)).body)["checks"]

    assert [name for name in checks if name.startswith("check of")] == [
        "check of postgresql://shop:[redacted]@db.internal/shop",
        "check of postgresql://shop:[redacted]@db.internal/shop (2)",
    ]


def test_it_knows_what_can_be_asked(registry: HealthRegistry) -> None:
    """Everything, the groups that always are, those of checks, and metrics."""
    registry.register_check("one", lambda: True, groups=["own"])
    probes = Probes(registry)

    asked = ("", "live", "ready", "startup", "own", "metrics", "nobody's")

    assert [group for group in asked if not probes.knows(group)] == ["nobody's"]


@pytest.mark.anyio
@pytest.mark.parametrize("name", FORMATS)
async def test_it_answers_the_same_on_an_event_loop(leaky: Probes, name: str) -> None:
    """To strangers, to those who may see details, and to those of whom that was found out before."""
    for caller in (Caller(), FRIEND):
        probe = Probe(format=name, caller=caller)
        assert await leaky.aanswer(probe) == leaky.answer(probe)

    found_out = await leaky.aanswer(Probe(format=name), detailed=True)

    assert found_out == leaky.answer(Probe(format=name, caller=FRIEND))


texts = st.text(st.characters(), max_size=40)


callers = st.builds(Caller, authorization=texts, address=texts, is_trusted=st.booleans())
probes_of_anybody = st.builds(
    Probe,
    group=st.sampled_from(["", "live", "ready", "startup", "metrics"]) | texts,
    format=st.sampled_from(sorted(FORMATS)) | texts,
    accept=texts,
    tags=st.lists(texts, max_size=30).map(tuple),
    caller=callers,
)
LONG = Caller(authorization="Bearer " + "x" * 10_000, address="1" * 10_000)


@given(probe=probes_of_anybody)
@settings(max_examples=150)
@example(Probe(group="metrics", format="\x00", accept="*; q=.2", tags=("\ud800",), caller=FRIEND))
@example(Probe(accept="text/html," * 1000, caller=LONG))
@example(Probe(caller=Caller(authorization="Bearer \ud800", address="fe80::1%\ud800")))
def test_every_probe_gets_an_answer(leaky: Probes, probe: Probe) -> None:
    """Whatever is asked by whomever: 200 or 503, and a body that its own parser reads."""
    answer = leaky.answer(probe)

    assert answer.status in {200, 503}
    (name,) = {
        name
        for name, known in FORMATS.items()
        if known.content_type == answer.content_type and name != "html-still"
    }
    assert PARSERS[name](answer.body.decode()) is not None
    assert answer.length == len(answer.body)
    assert not any(secret in answer.body.decode() for secret in HIDDEN)
