"""Check-ins of jobs: what goes to Sentry when a run starts, ends well, ends badly, or is not let in."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.integrations.conftest import need

need("sentry_sdk")

import sentry_sdk  # noqa: E402  # not before it is known to be there
from sentry_sdk.envelope import Envelope  # noqa: E402
from sentry_sdk.transport import Transport  # noqa: E402

from holdfast.cli import main  # noqa: E402
from holdfast.environment import activated  # noqa: E402
from holdfast.hooks.jobs import Job, JobLockedError, JobReport, Outcome  # noqa: E402
from holdfast.integrations.sentry_crons import SentryMonitor  # noqa: E402
from holdfast.integrations.sentry_event import SentryInactiveError  # noqa: E402
from holdfast.testing import RecordingRuntime  # noqa: E402

DSN = "https://key@sentry.invalid/1"


class Capturing(Transport):
    """Keeps what would go to Sentry's server: the one part that cannot run here."""

    def __init__(self) -> None:
        super().__init__()
        self.check_ins: list[dict[str, object]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        """Keep the check-ins of one envelope."""
        self.check_ins += [
            json.loads(item.get_bytes()) for item in envelope.items if item.type == "check_in"
        ]


def leave() -> None:
    """Be without Sentry."""
    sentry_sdk.get_global_scope().set_client(None)
    sentry_sdk.get_isolation_scope().clear()
    sentry_sdk.get_current_scope().clear()


@pytest.fixture
def transport() -> Iterator[Capturing]:
    """Initialise Sentry as a project would, and leave it as it was."""
    made = Capturing()
    sentry_sdk.init(DSN, transport=made, auto_enabling_integrations=False, environment="prod")
    yield made
    leave()


def test_a_run_opens_a_check_in_and_closes_it(transport: Capturing, tmp_path: Path) -> None:
    """One id, in progress and then ok, with what Sentry is to expect and how long it took."""
    monitor = SentryMonitor(
        "nightly-invoices",
        schedule="30 2 * * *",
        timezone="Europe/Paris",
        margin=5,
        max_runtime=60,
        failure_threshold=2,
        recovery_threshold=1,
    )

    with activated(RecordingRuntime()), Job("nightly", monitors=[monitor], state=tmp_path) as run:
        pass

    opened, closed = transport.check_ins
    assert opened["check_in_id"] == closed["check_in_id"] == run.id.replace("-", "")
    assert (opened["status"], closed["status"]) == ("in_progress", "ok")
    assert (opened["monitor_slug"], opened["environment"]) == ("nightly-invoices", "prod")
    assert isinstance(closed["duration"], float)
    assert opened["monitor_config"] == {
        "schedule": {"type": "crontab", "value": "30 2 * * *"},
        "timezone": "Europe/Paris",
        "checkin_margin": 5,
        "max_runtime": 60,
        "failure_issue_threshold": 2,
        "recovery_threshold": 1,
    }


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_run_that_fails_closes_its_check_in_as_an_error(
    transport: Capturing, tmp_path: Path, error: type[BaseException]
) -> None:
    """Whatever ends it badly, an interrupt too."""
    job = Job("nightly", monitors=[SentryMonitor("nightly")], state=tmp_path)

    with pytest.raises(error), activated(RecordingRuntime()), job:
        raise error

    assert [check_in["status"] for check_in in transport.check_ins] == ["in_progress", "error"]
    assert "monitor_config" not in transport.check_ins[0]


def test_leaving_with_success_closes_a_check_in_as_ok(transport: Capturing, tmp_path: Path) -> None:
    """`sys.exit(0)`, which Sentry's own decorator takes for an error."""
    job = Job("nightly", monitors=[SentryMonitor("nightly")], state=tmp_path)

    with pytest.raises(SystemExit), activated(RecordingRuntime()), job:
        sys.exit(0)

    assert [check_in["status"] for check_in in transport.check_ins] == ["in_progress", "ok"]


def test_a_run_that_is_not_let_in_is_no_check_in(transport: Capturing, tmp_path: Path) -> None:
    """The check-in of the run that goes on stays the one there is."""
    job = Job("nightly", lock="file", monitors=[SentryMonitor("nightly")], state=tmp_path)

    with (
        activated(RecordingRuntime()),
        Job("nightly", lock="file", state=tmp_path),
        pytest.raises(JobLockedError),
    ):
        job.__enter__()

    assert transport.check_ins == []


def test_without_sentry_the_job_runs_and_says_so(tmp_path: Path) -> None:
    """Two events that check-ins went nowhere; no error."""
    leave()
    runtime = RecordingRuntime()

    with activated(runtime), Job("nightly", monitors=[SentryMonitor("nightly")], state=tmp_path):
        pass

    failed = [e for e in runtime.recorded.events if e.name == "job.ping_failed"]
    assert [str(e.attributes["error_type"]).rpartition(".")[2] for e in failed] == [
        SentryInactiveError.__name__
    ] * 2


@pytest.mark.parametrize(
    ("seconds", "minutes"), [(60, 1), (3600, 60), (5400, 90), (86_400, 1440), (100, 2)]
)
def test_a_period_is_told_in_minutes(seconds: float, minutes: int) -> None:
    """Sentry knows no seconds."""
    config = SentryMonitor("nightly", schedule=seconds).config()

    assert config.get("schedule") == {"type": "interval", "value": minutes, "unit": "minute"}


def test_what_is_no_monitor_is_refused() -> None:
    """A slug, whole minutes, and bounds of at least one."""
    with pytest.raises(ValueError, match="slug"):
        SentryMonitor("")
    with pytest.raises(ValueError, match="too often"):
        SentryMonitor("nightly", schedule=30)
    for name in ("margin", "max_runtime", "failure_threshold", "recovery_threshold"):
        with pytest.raises(ValueError, match=name):
            SentryMonitor("nightly", **{name: 0})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_an_ended_run_is_told_with_its_time(transport: Capturing) -> None:
    """A run that timed out is an error with a duration."""
    started = datetime(2024, 1, 15, tzinfo=UTC)
    report = JobReport(
        job="nightly", run_id="a-b", started=started, outcome=Outcome.TIMED_OUT, duration=12.5
    )

    SentryMonitor("nightly").finished(report)

    (closed,) = transport.check_ins
    assert (closed["status"], closed["duration"], closed["check_in_id"]) == ("error", 12.5, "ab")


@pytest.mark.parametrize("option", ["--sentry-monitor nightly", "--reporters logging,sentry"])
def test_the_command_needs_to_know_where_sentry_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    """Without SENTRY_DSN a monitor, or the reporter, on the command line is a mistake: status 2."""
    monkeypatch.delenv("SENTRY_DSN", raising=False)
    leave()

    with pytest.raises(SystemExit) as left:
        main(["run", "--name", "nightly", *option.split(), "--", "true"])
    leave()

    assert left.value.code == 2
    assert "SENTRY_DSN" in capsys.readouterr().err
