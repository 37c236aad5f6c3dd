"""Formats of a health report: each is read by a parser of somebody else's."""

import base64
import hashlib
import json
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from holdfast.health import CheckResult, HealthStatus
from holdfast.health.rendering.formats import FORMATS, METRICS_MEDIA, chosen
from holdfast.health.rendering.page import Page
from holdfast.health.rendering.printable import printable
from holdfast.redact import Redactor
from tests.core.health_pages import (
    PARSERS,
    PARSING,
    Json,
    follows_draft,
    page,
    read_html,
    read_json,
    read_openmetrics,
    read_prometheus,
    read_text,
    rendered,
    result,
)

pytestmark = pytest.mark.extra(*PARSING)

PASS, WARN, FAIL = HealthStatus
SICK = page(
    result("disk", details={"free_gb": 12}),
    result("cache", WARN, "lags behind", critical=False),
    result("database", FAIL, "ConnectionError", {"error": "refused\nby <db>"}),
    group="ready",
)

texts = st.text(st.characters(), max_size=30)  # halves of characters too
names = st.text(st.characters(), min_size=1, max_size=30).filter(str.isprintable)
facts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
results = st.builds(
    result,
    names,
    st.sampled_from(HealthStatus),
    texts,
    st.dictionaries(texts, facts, max_size=3).map(Redactor().mapping),
    critical=st.booleans(),
)


def some_page(found: list[CheckResult], *, detailed: bool) -> Page:
    """Make a page of several results."""
    return page(*found, detailed=detailed)


pages = st.builds(
    some_page,
    st.lists(results, max_size=4, unique_by=lambda found: found.name),
    detailed=st.booleans(),
)


def test_every_format_has_a_parser() -> None:
    """What is added is read by these tests too."""
    assert PARSERS.keys() == FORMATS.keys()


@given(shown=pages)
@settings(max_examples=60)
@example(shown=SICK)
@example(shown=page())
@example(shown=page(result('a="b",c{d}\\ # {e="f"} 1', FAIL, "\\n\x00\ud800\u2028]]><!--&")))
def test_whatever_checks_say_every_format_is_well_formed(shown: Page) -> None:
    """Quotes, ends of lines, controls, halves of characters, markup."""
    for name, parse in PARSERS.items():
        assert parse(rendered(name, shown)) is not None


@given(shown=pages)
@settings(max_examples=60)
def test_names_and_statuses_come_through(shown: Page) -> None:
    """What was said is what is read, in every format that says it in fields."""
    told = {found.name: found.status.value for found in shown.report.results if shown.detailed}
    body = cast("dict[str, dict[str, dict[str, object]]]", read_json(rendered("json", shown)))
    lines = read_text(rendered("text", shown))[1:]
    held = {
        dict(labels)["check"]: dict(labels)["status"]
        for (name, labels), value in read_openmetrics(rendered("openmetrics", shown)).items()
        if name == "holdfast_health_check_status" and value == 1
    }

    assert {name: check["status"] for name, check in body.get("checks", {}).items()} == told
    assert {line[1]: line[0] for line in lines} == {printable(name): told[name] for name in told}
    assert held == told


@pytest.mark.parametrize("name", FORMATS)
def test_without_details_no_format_says_more_than_the_status(name: str) -> None:
    """Whatever else a page holds."""
    said = rendered(name, page(*SICK.report.results, detailed=False))

    words = ("shop", "release", "disk", "cache", "database", "ConnectionError", "12:00")
    assert "fail" in said
    assert [word for word in words if word in said] == []


def test_health_json_is_what_the_draft_says() -> None:
    """Its keys, its units, and no output of what passes."""
    body = read_json(rendered("health+json", SICK))

    node = {"time": "2026-11-21T12:00:00.250Z", "observedValue": 125.0, "observedUnit": "ms"}
    node["componentType"] = "component"
    assert body == {
        "status": "fail",
        "releaseId": "1.2",
        "serviceId": "shop",
        "checks": {
            "disk": [{**node, "status": "pass", "critical": True, "details": {"free_gb": 12}}],
            "cache": [{**node, "status": "warn", "critical": False, "output": "lags behind"}],
            "database": [
                {
                    **node,
                    "status": "fail",
                    "critical": True,
                    "output": "ConnectionError",
                    "details": {"error": "refused\nby <db>"},
                }
            ],
        },
    }


def test_health_json_leaves_out_the_output_of_what_passes() -> None:
    """The draft asks for it; other formats have it."""
    said = page(result("disk", output="plenty"))

    assert "plenty" not in rendered("health+json", said)
    assert "plenty" in rendered("json", said)


WRONG: list[Json] = [
    {},
    {"status": "ok"},
    {"status": "pass", "output": "fine"},
    {"status": "pass", "more": 1},
    {"status": "pass", "checks": {"a": {"status": "pass"}}},
    {"status": "pass", "checks": {"a": []}},
    {"status": "pass", "checks": {"a": [{}]}},
    {"status": "pass", "checks": {"a": [{"observedValue": 1}]}},
    {"status": "pass", "checks": {"a": [{"time": "2026-11-21 12:00:00"}]}},
    {"status": "pass", "checks": {"a": [{"time": "2026-13-21T12:00:00Z"}]}},
    {"status": "pass", "checks": {"a": [{"status": "pass", "output": ""}]}},
    {"status": "pass", "checks": {"a:uptime": [{"status": "pass"}]}},
    {"status": "pass", "checks": {"a": [{"componentType": "thing"}]}},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_the_schema_of_the_draft_refuses(wrong: Json) -> None:
    """What these tests rest on tells right from wrong."""
    assert not follows_draft(wrong)


def test_plain_json_is_for_scripts() -> None:
    """A check is found by its name, without a list around it."""
    body = read_json(rendered("json", SICK))

    said = {"time": "2026-11-21T12:00:00.250Z", "duration_ms": 125.0}
    database = {"output": "ConnectionError", "details": {"error": "refused\nby <db>"}}
    assert body == {
        "status": "fail",
        "group": "ready",
        "time": "2026-11-21T12:00:00.250Z",
        "service": "shop",
        "release": "1.2",
        "checks": {
            "disk": {**said, "status": "pass", "critical": True, "details": {"free_gb": 12}},
            "cache": {**said, "status": "warn", "critical": False, "output": "lags behind"},
            "database": {**said, "status": "fail", "critical": True, **database},
        },
    }


def test_plain_json_has_checks_even_when_there_are_none() -> None:
    """So that a script can go through them."""
    body = cast("dict[str, object]", read_json(rendered("json", page())))

    assert body["checks"] == {}


def test_text_has_a_line_for_each_check() -> None:
    """Whatever it says: the end of a line in it is written out."""
    assert rendered("text", SICK) == (
        "fail\n"
        'pass\tdisk\tcritical\t125.0 ms\t\t{"free_gb": 12}\n'
        "warn\tcache\toptional\t125.0 ms\tlags behind\n"
        'fail\tdatabase\tcritical\t125.0 ms\tConnectionError\t{"error": "refused\\nby <db>"}\n'
    )


def test_text_moves_no_terminal() -> None:
    """What would colour, erase or turn around a line is written out."""
    odd = page(result("disk", FAIL, "\x1b[2J\t\r\n\u202egnp.exe \x9b"))

    assert rendered("text", odd).splitlines()[1].split("\t")[4] == (
        r"\x1b[2J\t\r\n\u202egnp.exe \x9b"
    )


def test_metrics_say_what_a_scraper_alerts_on() -> None:
    """Statuses, criticality, durations, and when it was said."""
    samples = read_openmetrics(rendered("openmetrics", SICK))

    group, database = ("group", "ready"), ("check", "database")
    assert samples["holdfast_health_status", (group, ("status", "fail"))] == 1
    assert samples["holdfast_health_status", (group, ("status", "pass"))] == 0
    assert samples["holdfast_health_check_status", (database, ("status", "fail"))] == 1
    assert samples["holdfast_health_check_status", (("check", "disk"), ("status", "fail"))] == 0
    assert samples["holdfast_health_check_critical", (("check", "cache"),)] == 0
    assert samples["holdfast_health_check_critical", (database,)] == 1
    assert samples["holdfast_health_check_duration_seconds", (database,)] == 0.125
    assert samples["holdfast_health_check_timestamp_seconds", (database,)] == 1795262400.25
    assert samples["holdfast_health_info", (("service", "shop"), ("release", "1.2"))] == 1


def test_the_older_metrics_say_the_same() -> None:
    """Sample by sample."""
    older = read_prometheus(rendered("prometheus", SICK))

    assert older == read_openmetrics(rendered("openmetrics", SICK))


@pytest.mark.parametrize("name", ["openmetrics", "prometheus"])
def test_metrics_without_details_are_the_status(name: str) -> None:
    """One series for each status, and nothing else."""
    hidden = page(*SICK.report.results, detailed=False)

    samples = {"openmetrics": read_openmetrics, "prometheus": read_prometheus}[name](
        rendered(name, hidden)
    )

    assert [(sample, dict(labels)["status"]) for sample, labels in samples] == [
        ("holdfast_health_status", status.value) for status in HealthStatus
    ]


def test_the_page_shows_the_worst_first() -> None:
    """What has to be looked at is at the top of a small screen."""
    headings = [
        "".join(heading.itertext()) for heading in read_html(rendered("html", SICK)).iter("h2")
    ]

    assert headings == ["✗ fail database", "! warn cache", "✓ pass disk"]


def test_the_page_says_everything_in_words() -> None:
    """Neither colours nor signs alone tell the status, and texts are as they were said."""
    words = "\n".join(read_html(rendered("html", SICK)).itertext())

    for said in ("fail", "shop 1.2", "group ready", "optional", "refused\nby <db>", "free_gb"):
        assert said in words


def test_the_page_loads_itself_again_unless_told_not_to() -> None:
    """Without a script; whoever needs time asks for the page that stays."""
    moving, still = (read_html(rendered(name, SICK)) for name in ("html", "html-still"))

    assert [found.get("content") for found in moving.iterfind(".//meta[@http-equiv]")] == ["5"]
    assert not still.findall(".//meta[@http-equiv]")
    assert [found.get("href") for found in moving.iter("a")] == ["?format=html-still"]
    assert [found.get("href") for found in still.iter("a")] == ["?format=html"]


def test_the_policy_of_the_page_allows_its_style_and_nothing_else() -> None:
    """The style is known by its hash; there is no script to allow."""
    policy = FORMATS["html"].headers["Content-Security-Policy"]
    (style,) = read_html(rendered("html", SICK)).iter("style")
    digest = base64.b64encode(hashlib.sha256((style.text or "").encode()).digest()).decode()

    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    ("accept", "format_"),
    [
        ("", "health+json"),
        ("*/*", "health+json"),
        ("*", "health+json"),
        ("*; q=.2", "health+json"),
        ("application/*", "health+json"),
        ("text/*", "text"),
        ("text/*;q=0.5, application/json;q=0.4", "text"),
        ("APPLICATION/JSON", "json"),
        ("application/json, text/plain, */*", "json"),
        ("text/plain, application/json", "text"),
        ("application/json;q=0.5, text/plain", "text"),
        ("application/json; q = 0.5 , text/plain ; q = 0.9", "text"),
        ("application/health+json;q=0, */*", "json"),
        ("*/*, application/health+json;q=0.1", "json"),
        ("text/html;q=0", "health+json"),
        ("text/html;q=high, application/json", "json"),
        ("text/html;q=7, application/json", "json"),
        ("image/png", "health+json"),
        (",;,;;=,q=", "health+json"),
        ("text/html" + " " * 10_000 + ",application/json", "html"),
        (CHROME, "html"),
        ("text/plain;version=0.0.4", "prometheus"),
        (PROMETHEUS, "openmetrics"),
    ],
)
def test_accept_is_read_leniently(accept: str, format_: str) -> None:
    """As RFC 9110 says where it says something, and health+json for everybody else."""
    assert chosen("", accept) == format_


@pytest.mark.parametrize(
    ("accept", "format_"),
    [
        ("*/*", "openmetrics"),
        (CHROME, "openmetrics"),
        ("text/plain", "prometheus"),
        ("text/plain;version=0.0.4;q=0.5, */*;q=0.1", "prometheus"),
        (PROMETHEUS, "openmetrics"),
        ("application/json", "openmetrics"),
    ],
)
def test_who_asks_for_metrics_gets_metrics(accept: str, format_: str) -> None:
    """Whatever else it would take."""
    assert chosen("", accept, METRICS_MEDIA) == format_


@pytest.mark.parametrize(
    ("asked", "format_"),
    [
        ("json", "json"),
        (" JSON ", "json"),
        ("health+json", "health+json"),
        ("health json", "health+json"),
        ("prometheus", "prometheus"),
        ("pdf", "html"),
        ("", "html"),
    ],
)
def test_a_format_that_is_asked_for_goes_before(asked: str, format_: str) -> None:
    """Also with the space that a query makes of a plus; an unknown one is passed over."""
    assert chosen(asked, CHROME) == format_


@given(asked=texts, accept=texts | st.text("text/plainhjso*,;=q.01 +", max_size=60))
def test_nothing_that_is_asked_for_raises(asked: str, accept: str) -> None:
    """There is an answer for everything."""
    assert chosen(asked, accept) in FORMATS
    assert chosen(asked, accept, METRICS_MEDIA) in FORMATS


def test_a_half_of_a_character_is_sent_to_no_parser() -> None:
    """As an escape it is JSON, and ends the parsers of several languages."""
    odd: CheckResult = result("disk", FAIL, "before \udc80 after")

    body = json.loads(rendered("health+json", page(odd)))

    assert body["checks"]["disk"][0]["output"] == "before ? after"
