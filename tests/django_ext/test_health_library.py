"""django-health-check and we: its checks here, our checks there, and where it falls short."""

import asyncio
import json
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, cast

import pytest
from django.core.management import call_command
from django.test import AsyncClient, RequestFactory, override_settings
from django.urls import URLPattern, URLResolver, include, path
from health_check.base import HealthCheck
from health_check.exceptions import (
    ServiceReturnedUnexpectedResult,
    ServiceUnavailable,
    ServiceWarning,
)
from health_check.views import HealthCheckView

from holdfast import environment
from holdfast.clock import SystemClock
from holdfast.health import HealthRegistry, HealthStatus
from holdfast_django import current
from holdfast_django.health import RegistryCheck, from_health_check, register_health_checks
from holdfast_django.health.theirs import Entry, HealthCheckOf
from tests.django_ext.asking import Ask, ask_wsgi

HANG: Final = 1.5
"""Seconds that a check hangs; less than a second is all we take."""


@dataclass
class Raising(HealthCheck):  # type: ignore[misc]  # ships no annotations
    """Ends as it is told."""

    how: str = "well"
    timeout: timedelta = field(default=timedelta(seconds=0.2), repr=False)

    def run(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # may be either
        """End."""
        error = ENDS[self.how]
        if error is not None:
            raise error


@dataclass
class RaisingOnLoop(HealthCheck):  # type: ignore[misc]  # ships no annotations
    """Does the same in a coroutine."""

    how: str = "well"

    async def run(self) -> None:
        """End."""
        Raising(self.how).run()


@dataclass
class Hanging(HealthCheck):  # type: ignore[misc]  # ships no annotations
    """Blocks its thread for longer than it may."""

    timeout: timedelta = field(default=timedelta(seconds=0.2), repr=False)

    def run(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # may be either
        """Hang, until the test is over."""
        released.wait(HANG)


@dataclass
class Thread(HealthCheck):  # type: ignore[misc]  # ships no annotations
    """Tells which thread it ran on."""

    seen: list[threading.Thread] = field(default_factory=list[threading.Thread], repr=False)

    def run(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # may be either
        """Note the thread."""
        self.seen.append(threading.current_thread())


released = threading.Event()
ENDS: Final = {
    "well": None,
    "warning": ServiceWarning("disk is 92% full", timestamp=0),
    "unavailable": ServiceUnavailable("connection to 10.1.2.3 refused", timestamp=0),
    "unexpected": ServiceReturnedUnexpectedResult("13", timestamp=0),
    "error": KeyError("shelf"),
    "exit": SystemExit(3),
}
urlpatterns: list[URLPattern | URLResolver] = [
    path("health/", include("holdfast_django.urls")),
    path("theirs", HealthCheckView.as_view(checks=[Raising])),
    path("theirs/warning", HealthCheckView.as_view(checks=[(Raising, {"how": "warning"})])),
    path("theirs/exit", HealthCheckView.as_view(checks=[(RaisingOnLoop, {"how": "exit"})])),
    path("theirs/twice", HealthCheckView.as_view(checks=[Raising, Raising])),
    path("theirs/hanging", HealthCheckView.as_view(checks=[Hanging])),
    path(
        "theirs/ours",
        HealthCheckView.as_view(
            checks=[(RegistryCheck, {"name": "orders"}), (RegistryCheck, {"name": "search"})]
        ),
        name="theirs-ours",
    ),
]


@pytest.fixture(autouse=True)
def _surroundings() -> Iterator[None]:
    """Serve these addresses, and let go whatever hangs in the end."""
    released.clear()
    with override_settings(ROOT_URLCONF=__name__):
        yield
    released.set()


def fail() -> None:
    """Fail with a secret."""
    raise ConnectionError("postgres://shop:hunter2@db/shop")


@pytest.mark.parametrize("kind", [Raising, RaisingOnLoop])
@pytest.mark.parametrize(
    ("how", "status", "output"),
    [
        ("well", "pass", ""),
        ("warning", "warn", "disk is 92% full"),
        ("unavailable", "fail", "Unavailable"),
        ("unexpected", "fail", "Unexpected Result"),
        ("error", "fail", "Unknown Error"),
    ],
)
def test_a_check_of_theirs_says_here_what_it_says_there(
    kind: type[HealthCheck], how: str, status: str, output: str, registry: HealthRegistry
) -> None:
    """What its error quotes is among the details."""
    registry.register_check("theirs", from_health_check(kind, how=how))

    result = registry.check("theirs")

    assert (result.status.value, result.output) == (status, output)
    assert ("10.1.2.3" in str(result.details)) is (how == "unavailable")


@pytest.mark.parametrize("kind", [Raising, RaisingOnLoop])
def test_a_check_of_theirs_that_exits_fails(
    kind: type[HealthCheck], registry: HealthRegistry
) -> None:
    """And nothing else happens."""
    registry.register_check("theirs", from_health_check(kind, how="exit"))

    assert registry.check("theirs").status is HealthStatus.FAIL


def test_a_check_of_theirs_may_be_given_in_three_ways() -> None:
    """As a class, by its path, or made already."""
    made = Raising(how="warning")

    assert from_health_check(Raising, how="warning") == HealthCheckOf(made)
    assert from_health_check(f"{__name__}.Raising", how="warning") == HealthCheckOf(made)
    assert from_health_check(made) == HealthCheckOf(made)


@pytest.mark.parametrize("given", [int, 3, "os.path.join"])
def test_what_is_no_check_of_theirs_is_refused(given: object) -> None:
    """Where it is registered, not where it is asked."""
    with pytest.raises(TypeError, match="is no check of django-health-check"):
        from_health_check(cast("str", given))
    with pytest.raises(TypeError, match="options for an instance"):
        from_health_check(Raising(), how="well")


def test_a_check_of_theirs_that_hangs_holds_up_nobody(registry: HealthRegistry) -> None:
    """Our time limit holds, and it is not started again while it hangs, when they have given up as well."""
    clock, hanging = SystemClock(), Hanging(timeout=timedelta(seconds=-0.95))  # and a second more
    registry.register_check("theirs", HealthCheckOf(hanging), timeout=0.2)
    begun = clock.monotonic()

    first, second = registry.check("theirs"), registry.check("theirs", fresh=True)

    assert clock.monotonic() - begun < 1.0
    assert first.status is second.status is HealthStatus.FAIL
    assert [t.name for t in threading.enumerate()].count("holdfast-health-aside") == 1


def test_a_synchronous_check_of_theirs_needs_no_executor_that_the_process_waits_for(
    registry: HealthRegistry,
) -> None:
    """Its thread is a daemon, gone with the check."""
    check = Thread()
    registry.register_check("theirs", from_health_check(check))

    registry.run_all_checks()

    assert check.seen[0].daemon
    assert not check.seen[0].is_alive()


def test_a_list_of_their_view_is_registered_as_it_is(registry: HealthRegistry) -> None:
    """Classes, paths, and pairs with options; named by what their endpoints show."""
    entries: list[Entry] = [
        (Raising, {"how": "warning"}),
        (f"{__name__}.Raising", {"how": "unavailable"}),
        Hanging,
        "health_check.Storage",
    ]

    with environment.as_default(current.project_runtime()):
        names = register_health_checks(entries, critical=False, groups=["startup"])

    assert names == (
        "Raising(how='warning')",
        "Raising(how='unavailable')",
        "Hanging()",
        "Storage(alias='default')",
    )
    assert [check.name for check in registry.checks] == [*names]
    assert {check.groups for check in registry.checks} == {frozenset({"startup"})}
    assert [check.timeout for check in registry.checks] == [2.2, 2.2, 2.2, 7.0]
    assert not any(check.critical for check in registry.checks)


def test_two_checks_of_the_same_name_are_refused_at_start_up(registry: HealthRegistry) -> None:
    """Their JSON shows one of the two."""
    with pytest.raises(ValueError, match=r"same repr\(\): Raising\(how='well'\)"):
        register_health_checks([Raising, Raising])

    assert [*json.loads(ask_wsgi("/theirs/twice?format=json").body)] == ["Raising(how='well')"]


@pytest.mark.parametrize("kind", ["json", "text", "openmetrics"])
def test_our_checks_answer_in_their_view(kind: str, ask: Ask, registry: HealthRegistry) -> None:
    """A failure is what they call unavailable, a warning a warning; no text of an exception."""
    registry.register_check("orders", fail)
    registry.register_check("search", fail, critical=False, groups=["ready", "partners"])

    reply = ask(f"/theirs/ours?format={kind}")

    expected = {
        "json": '"orders": "Unavailable: ConnectionError", "search": "Warning: ConnectionError"',
        "text": "orders: Unavailable: ConnectionError\nsearch: Warning: ConnectionError",
        "openmetrics": '{check="search",critical="false",group="partners,ready"} 0',
    }
    assert expected[kind] in reply.body.decode()
    assert b"hunter2" not in reply.body


def test_our_checks_pass_in_their_view_and_command(
    ask: Ask, registry: HealthRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the answers that are kept for our own endpoints."""
    asked: list[str] = []
    registry.register_check("orders", lambda: asked.append("orders"))
    registry.register_check("search", lambda: True)

    assert ask("/theirs/ours?format=json").status == ask("/health/").status == 200
    assert asked == ["orders"]
    with (
        override_settings(INSTALLED_APPS=["health_check", "holdfast_django"]),
        pytest.raises(SystemExit) as ended,
    ):
        call_command("health_check", "theirs-ours", "--no-http")

    assert ended.value.code == 0
    assert capsys.readouterr().out == "orders: OK\nsearch: OK\n"


def test_a_check_that_is_not_registered_is_unavailable(registry: HealthRegistry) -> None:
    """Told of by its name."""
    body = json.loads(ask_wsgi("/theirs/ours?format=json").body)

    assert body["orders"] == "Unavailable: no health check is registered as 'orders'"
    assert RegistryCheck("orders").labels == {"check": "orders"}


async def test_their_time_limit_leaves_room_for_ours(registry: HealthRegistry) -> None:
    """So that our sentence is the one that is told."""
    registry.register_check("orders", lambda: released.wait(HANG) and None, timeout=0.1)

    result = await RegistryCheck("orders").get_result()

    assert str(result.error) == "Unavailable: no answer in 0.1 s"


def test_their_time_limit_does_not_hold_under_wsgi_and_ours_does(
    registry: HealthRegistry,
) -> None:
    """Both with 0.2 s for a check that takes longer; theirs waits for the thread."""
    clock = SystemClock()
    registry.register_check("orders", lambda: released.wait(5) and None, timeout=0.2)

    begun = clock.monotonic()
    theirs = ask_wsgi("/theirs/hanging?format=json")
    took_them = clock.monotonic() - begun
    begun = clock.monotonic()
    ours = ask_wsgi("/health/ready")
    took_us = clock.monotonic() - begun

    assert theirs.status == 500
    assert took_them > HANG - 0.1
    assert ours.status == 503
    assert took_us < 1.0


async def test_the_loop_goes_on_while_a_check_hangs(registry: HealthRegistry) -> None:
    """Under ASGI nothing else waits, whatever a check does to its thread."""
    registry.register_check("orders", lambda: released.wait(5) and None, timeout=0.3)
    registry.register_check("theirs", from_health_check(Hanging), timeout=0.3)
    clock, longest = SystemClock(), [0.0]

    async def beat() -> None:
        while True:
            before = clock.monotonic()
            await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0.01)
            longest[0] = max(longest[0], clock.monotonic() - before)

    beating = asyncio.create_task(beat())
    response = await AsyncClient().get("/health/ready")
    beating.cancel()

    assert response.status_code == 503
    assert 0 < longest[0] < 0.25


@pytest.mark.parametrize("accept", ["garbage", "*; q=.2", "text/html, image/gif, *; q=.2"])
def test_an_accept_that_makes_no_sense(accept: str, ask: Ask, registry: HealthRegistry) -> None:
    """Theirs raises; ours answers."""

    async def theirs() -> None:
        view = HealthCheckView(checks=[])
        view.setup(RequestFactory().get("/", headers={"Accept": accept}))
        await view.get(view.request)

    with pytest.raises(ValueError, match="not a valid media type"):
        asyncio.run(theirs())

    assert ask("/health/", headers={"Accept": accept}).status == 200


def test_a_warning_is_500_there_and_200_here(ask: Ask, registry: HealthRegistry) -> None:
    """Who is degraded still serves."""
    registry.register_check("theirs", from_health_check(Raising, how="warning"))

    assert ask("/theirs/warning").status == 500
    assert ask("/health/ready").status == 200


def test_a_failure_is_logged_as_an_error_there_and_not_here(
    registry: HealthRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    """By default that is a mail to the administrators, for every probe."""
    registry.register_check("orders", fail)

    def errors_of(address: str) -> int:
        caplog.clear()
        ask_wsgi(address)
        return len([r for r in caplog.records if r.name == "django.request"])

    with override_settings(HOLDFAST={"FRAMEWORK_LOG": True, "REPORTERS": []}):
        there = errors_of("/theirs/warning")
    with caplog.at_level(logging.DEBUG):
        here = errors_of("/health/ready")

    assert (there, here) == (1, 0)


def test_an_exit_in_a_check_ends_nothing(ask: Ask, registry: HealthRegistry) -> None:
    """Whether asynchronous or not; theirs takes the request with it on Python 3.11."""

    async def leave() -> None:
        raise SystemExit(3)

    if sys.version_info < (3, 12):
        with pytest.raises(SystemExit):
            ask_wsgi("/theirs/exit?format=json")

    registry.register_check("asynchronous", leave)
    registry.register_check("plain", lambda: (_ for _ in ()).throw(SystemExit(3)))

    assert ask("/health/ready").status == 503
