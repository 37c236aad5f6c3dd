"""Whatever a probe sends, it gets an answer."""

import json
from typing import Final

import pytest
from django.test import override_settings
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from holdfast.health import HealthRegistry
from holdfast_django.conf import DjangoHealthSettings
from tests.django_ext.asking import Ask, ask_asgi, ask_wsgi
from tests.django_ext.conftest import RecordingProject

TOKEN: Final = "a-token-of-some-length"
ANSWERED: Final = {200, 503}
LATIN: Final = st.text(st.characters(codec="latin-1"), max_size=60)
"""What servers make of the bytes of a header."""
MEDIA: Final = st.sampled_from(
    [
        "application/health+json",
        "application/json",
        "text/html",
        "text/plain",
        "text/plain;version=0.0.4",
        "application/atom+xml",
        "application/rss+xml",
        "application/openmetrics-text",
        "*/*",
        "text/*",
        "*",
        "",
    ]
)
WEIGHT: Final = st.sampled_from(
    ["", ";q=0", ";q=1", ";q=.2", ";q=1.0000", ";q=nan", ";q=-1", "; q=1e9", ";q", ";;"]
)
ACCEPT: Final = st.one_of(
    LATIN, st.lists(st.builds(str.__add__, MEDIA, WEIGHT), max_size=6).map(",".join)
)
FORMATS: Final = st.one_of(
    LATIN,
    st.sampled_from(
        ["json", "text", "html", "atom", "rss", "openmetrics", "prometheus", "health+json", "ATOM"]
    ),
)
AUTHORIZATION: Final = st.one_of(
    LATIN, st.sampled_from([f"Bearer {TOKEN}", f"bearer  {TOKEN} ", "Bearer", "Basic Og==", "é"])
)
HOSTS: Final = st.one_of(
    LATIN,
    st.sampled_from(
        ["testserver", "127.0.0.1:8000", "10.0.0.1", "[::1]", "a" * 300, ".", "a b", "a:b"]
    ),
)
ADDRESSES: Final = st.sampled_from(
    ["/health", "/health/", "/health/live", "/health/ready/", "/health/startup", "/health/metrics"]
)
HEADERS: Final = st.fixed_dictionaries(
    {},
    optional={
        "Accept": ACCEPT,
        "Authorization": AUTHORIZATION,
        "X-Forwarded-For": LATIN,
        "X-Forwarded-Host": HOSTS,
        "X-Forwarded-Proto": LATIN,
        "Accept-Language": LATIN,
        "Cookie": LATIN,
        "Traceparent": LATIN,
        "X-Request-ID": LATIN,
    },
)
QUERY: Final = st.one_of(
    LATIN,
    st.builds("format={}&tag={}&tag={}".format, FORMATS, LATIN, LATIN),
)
OFTEN: Final = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(autouse=True)
def _checks(registry: HealthRegistry, project: RecordingProject) -> None:
    """Have one check that passes, one that warns and one that fails."""
    registry.register_check("orders", lambda: True, tags=["shop"])
    registry.register_check("search", lambda: False, critical=False)
    registry.register_check("é☃", lambda: False, groups=["startup"])
    project.configure(health=DjangoHealthSettings(token=TOKEN, networks=("10.0.0.0/8",)))


@pytest.mark.parametrize("asked_by", [ask_wsgi, ask_asgi])
@OFTEN
@given(address=ADDRESSES, headers=HEADERS, query=QUERY)
@example(address="/health/", headers={"Accept": "application/atom+xml"}, query="format=RSS")
@example(address="/health/", headers={}, query="tag=" + "&tag=".join("a" * 50))
def test_headers_and_queries_are_answered(
    asked_by: Ask, address: str, headers: dict[str, str], query: str
) -> None:
    """By 200 or 503, of which nothing but the health decides."""
    reply = asked_by(f"{address}?{query}", headers=headers)

    failing = address not in {"/health/live", "/health/ready/"}
    assert reply.status in (ANSWERED if failing else {200})
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("asked_by", [ask_wsgi, ask_asgi])
@OFTEN
@given(host=HOSTS, address=ADDRESSES, kind=FORMATS)
def test_a_bad_host_is_djangos_400_at_worst(
    asked_by: Ask, host: str, address: str, kind: str
) -> None:
    """Never an error."""
    reply = asked_by(f"{address}?format={kind}", headers={"Host": host})

    assert reply.status in {*ANSWERED, 400}


@pytest.mark.parametrize("asked_by", [ask_wsgi, ask_asgi])
@override_settings(USE_X_FORWARDED_HOST=True)
@OFTEN
@given(headers=HEADERS, host=HOSTS, query=QUERY, address=ADDRESSES)
def test_in_front_of_the_project_no_host_is_bad(
    asked_by: Ask,
    headers: dict[str, str],
    host: str,
    query: str,
    address: str,
    project: RecordingProject,
) -> None:
    """Not even in a format that needs one."""
    project.configure(health=DjangoHealthSettings(direct=True, token=TOKEN))

    reply = asked_by(f"{address}?{query}", headers={**headers, "Host": host})

    assert reply.status in ANSWERED


@pytest.mark.parametrize("asked_by", [ask_wsgi, ask_asgi])
@OFTEN
@given(told=st.one_of(AUTHORIZATION, LATIN.map("Bearer {}".format)), address=LATIN)
def test_nothing_but_the_token_lets_in(asked_by: Ask, told: str, address: str) -> None:
    """However it is dressed."""
    headers = {"Authorization": told, "X-Forwarded-For": "10.0.0.1"}
    reply = asked_by("/health/ready?format=json", headers=headers)

    let_in = told.strip().partition(" ")[2].strip() == TOKEN
    assert ("checks" in json.loads(reply.body)) is let_in


@pytest.mark.parametrize("asked_by", [ask_wsgi, ask_asgi])
def test_more_parameters_than_django_takes_keep_no_probe_from_its_answer(asked_by: Ask) -> None:
    """None of so many is read, here as elsewhere."""
    query = "&".join(f"tag={number}" for number in range(1100))

    assert asked_by(f"/health/live?{query}").status == 200
