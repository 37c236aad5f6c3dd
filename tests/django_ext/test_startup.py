"""Errors before the project has its runtime: they make it, and are told to it."""

import logging
import sys
from collections.abc import Callable, Iterator

import pytest
from django.apps import apps
from django.conf import settings as django_settings

from holdfast import environment
from holdfast.hooks import process
from holdfast.testing import RecordingReporter
from holdfast_django import current, startup
from holdfast_django.apps import HoldfastConfig

REPORTING: dict[str, object] = {
    "REPORTERS": [f"{__name__}:make_reporter"],
    "REPORTING": {"INLINE": True},
}
told = RecordingReporter()


def make_reporter(_: object) -> RecordingReporter:
    """Return the reporter of this module."""
    return told


Configure = Callable[[dict[str, object]], None]


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Be a project whose runtime is not made yet; return what reads its entry with these settings."""
    made = current.project_runtime()
    made.uninstall()
    environment.set_default(None)
    current._made.clear()
    told.events.clear()

    def read(settings: dict[str, object]) -> None:
        # Not overridden as tests do, which would make the runtime.
        monkeypatch.setattr(django_settings, "HOLDFAST", settings)
        HoldfastConfig("holdfast_django", sys.modules["holdfast_django"])

    yield read
    startup.end()
    for runtime in current._made:
        runtime.uninstall()
    current._made[:] = [made]


def test_an_uncaught_error_before_there_is_a_runtime_makes_it(
    begin: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the moment on that the entry in `INSTALLED_APPS` is read; Python says of it what it always says."""
    before = sys.excepthook
    begin(REPORTING)

    sys.excepthook(KeyError, KeyError("the models broke"), None)

    assert [record.type for record in told.records] == ["KeyError"]
    assert capsys.readouterr().err == "KeyError: 'the models broke'\n"
    startup.end()
    current.project_runtime().uninstall()
    assert sys.excepthook is before


def test_an_error_that_a_server_logs_before_there_is_a_runtime_makes_it(begin: Configure) -> None:
    """As gunicorn does in a worker that cannot begin."""
    begin(REPORTING)

    error = KeyError("the models broke")
    logging.getLogger("gunicorn.error").error("Exception in worker process", exc_info=error)

    assert [record.type for record in told.records] == ["KeyError"]


@pytest.mark.parametrize(
    "settings",
    [{"HOOKS": {"UNCAUGHT": False, "LOGGING": False}}, {"SERVIC": "shop"}],
    ids=["switched off", "wrong"],
)
def test_hooks_that_are_not_asked_for_are_not_put_in_place(
    settings: dict[str, object], begin: Configure
) -> None:
    """Nor when the settings are wrong, which is told when the runtime is made."""
    before = sys.excepthook, logging.getLogRecordFactory()

    begin(settings)

    assert (sys.excepthook, logging.getLogRecordFactory()) == before


def test_only_what_a_start_up_runs_into_is_listened_to(begin: Configure) -> None:
    """Loops, children and fatal signals wait for the runtime."""
    begin(REPORTING)

    listening = {name for name, owners in process._owners.items() if startup._beginning in owners}
    assert listening == {"uncaught", "logging"}


def test_where_the_runtime_cannot_be_made_the_error_goes_on_alone(
    begin: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reporter that needs what is broken: nobody can be told, and nothing is added to standard error."""
    begin({"REPORTERS": ["nowhere.at.all"]})

    sys.excepthook(KeyError, KeyError("the models broke"), None)

    assert told.records == []
    assert capsys.readouterr().err == "KeyError: 'the models broke'\n"


def test_the_project_is_left_to_its_runtime_when_it_has_one() -> None:
    """Getting ready ends the watch, and the hooks stay."""
    HoldfastConfig("holdfast_django", sys.modules["holdfast_django"])

    apps.get_app_config("holdfast_django").ready()

    assert process.attached() == [current.project_runtime()]


def test_what_stands_for_the_runtime_has_nothing_to_deliver() -> None:
    """It keeps nothing, whatever it is asked."""
    beginning = startup.Beginning()

    assert beginning.flush(1.0)
    assert beginning.redactor.text("plain") == "plain"
