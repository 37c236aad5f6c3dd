"""What commands say of health; the same for every framework and for none."""

import json
from threading import Event

import pytest

from holdfast.health import Finding, HealthRegistry, HealthStatus, degraded
from holdfast.health.inspection import answer
from holdfast.health.probes import Probes
from holdfast.runtime import Runtime
from holdfast.settings import HealthSettings, Settings


@pytest.fixture
def registry() -> HealthRegistry:
    """One check that passes, and one that warns."""
    made = HealthRegistry()
    made.register_check("disk", lambda: {"free_gb": 12})
    made.register_check("queue", lambda: degraded("lags behind", seconds=42), groups=["work"])
    return made


def test_every_check_is_a_line_with_what_it_said(registry: HealthRegistry) -> None:
    """Status of the whole, then status, name, time, output and facts of each."""
    told = answer(Probes(registry))
    whole, disk, queue = told.text.splitlines()

    assert whole == "warn"
    assert disk.split("\t")[:2] == ["pass", "disk"]
    assert "free_gb" in disk
    assert queue.split("\t")[:2] == ["warn", "queue"]
    assert "lags behind" in queue
    assert told.status == 0


def test_a_group_is_asked_alone(registry: HealthRegistry) -> None:
    """The built-in ones, and one's own."""
    assert "queue" not in answer(Probes(registry), "ready").text
    assert "disk" not in answer(Probes(registry), "work").text
    assert answer(Probes(registry), "live").text == "pass"


@pytest.mark.parametrize("group", ["nowhere", "metrics", "Ready"])
def test_a_group_that_there_is_not_is_told_with_those_there_are(
    registry: HealthRegistry, group: str
) -> None:
    """With a status of its own, because nothing is known of the health."""
    told = answer(Probes(registry), group)

    assert told.status == 2
    assert told.text == f"no check is in a group {group!r}; there are live, ready, startup, work"


@pytest.mark.parametrize(
    ("said", "fail_on", "status"),
    [
        (HealthStatus.PASS, "fail", 0),
        (HealthStatus.PASS, "warn", 0),
        (HealthStatus.WARN, "fail", 0),
        (HealthStatus.WARN, "warn", 1),
        (HealthStatus.FAIL, "fail", 1),
        (HealthStatus.FAIL, "warn", 1),
    ],
)
def test_the_exit_status_follows_from_the_worst_that_is_said(
    said: HealthStatus, fail_on: str, status: int
) -> None:
    """A warning counts as failure for whoever says so."""
    registry = HealthRegistry()
    registry.register_check("db", lambda: Finding(status=said))
    registry.register_check("disk", lambda: True)

    assert answer(Probes(registry), fail_on=fail_on).status == status


@pytest.mark.parametrize("form", ["json", "health+json"])
def test_a_program_reads_all_of_it(form: str) -> None:
    """Whoever has a shell sees details, service and release without a token."""
    runtime = Runtime(Settings(service="shop", release="1.2", reporters=()))
    runtime.health.register_check("disk", lambda: {"free_gb": 12})

    told = answer(runtime.probes, "ready", form=form)

    assert json.loads(told.text)["status"] == "pass"
    assert "free_gb" in told.text
    assert "shop" in told.text
    runtime.close()


def test_what_a_check_says_does_nothing_to_a_terminal() -> None:
    """Controls are shown, not sent."""

    def check() -> Finding:
        said = "red \x1b[31m\nand a line"
        return Finding(status=HealthStatus.FAIL, output=said, details={"said": said})

    registry = HealthRegistry()
    registry.register_check("db", check)

    text = answer(Probes(registry)).text

    assert "\x1b" not in text
    assert len(text.splitlines()) == 2
    assert r"\x1b[31m\nand a line" in text


def test_what_is_secret_stays_so() -> None:
    """A shell is no reason to show what the settings redact."""

    def check() -> bool:
        raise ConnectionError("postgres://shop:hunter2@db")

    runtime = Runtime(Settings(reporters=()))
    runtime.health.register_check("db", check)

    text = answer(runtime.probes).text

    assert "ConnectionError" in text
    assert "hunter2" not in text
    runtime.close()


def test_a_command_ends_in_the_time_of_a_probe() -> None:
    """However long the check may take: the thread that hangs does not hold the command."""
    hung = Event()
    health = HealthSettings(time_limit=0.1)
    runtime = Runtime(Settings(reporters=(), health=health))
    runtime.health.register_check("db", hung.wait, timeout=30.0)

    told = answer(runtime.probes)
    hung.set()

    assert told.status == 1
    assert "no answer in the time of a probe" in told.text
    runtime.close()
