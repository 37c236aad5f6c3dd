"""Start-up: settings, the runtime, and what changes them."""

import gc
import logging
import subprocess
import sys
import weakref

import pytest
from django.apps import apps
from django.conf import urls as default_handlers
from django.core.signals import got_request_exception
from django.test import override_settings

from holdfast import environment
from holdfast.context import begin, end, work_context
from holdfast.origin import Origin
from holdfast.runtime import Runtime
from holdfast.settings import SettingsError
from holdfast.testing import RecordingRuntime
from holdfast_django import current, views
from holdfast_django.conf import DjangoSettings
from tests.django_ext.conftest import RecordingProject


def test_the_project_has_one_runtime_which_is_the_processs() -> None:
    """Made when the apps are ready."""
    assert environment.default() is current.project_runtime()


def test_changed_settings_make_another_runtime() -> None:
    """`override_settings` in a project's tests works for ours too; health checks stay."""
    before = current.project_runtime()

    with override_settings(HOLDFAST={"SERVICE": "other", "REPORTERS": [], "IN_DEBUG": True}):
        inside = current.project_runtime()
        assert inside.settings.service == "other"
        assert current.project_settings().in_debug
        assert inside.health.checks == before.health.checks
        assert environment.default() is inside

    assert current.project_runtime().settings.service == "shop"


def test_other_settings_change_nothing() -> None:
    """The runtime stays."""
    before = current.project_runtime()

    with override_settings(DEBUG=True):
        assert current.project_runtime() is before


def test_all_mistakes_in_settings_are_told_at_once() -> None:
    """Each with its path and the nearest valid name, at start-up."""
    with (
        pytest.raises(SettingsError) as raised,
        override_settings(HOLDFAST={"SERVIC": "shop", "IN_DEBUG": "yes", "REDACT": {"KEY": []}}),
    ):
        pass  # pragma: no cover

    said = str(raised.value)
    assert "HOLDFAST.SERVIC" in said
    assert "SERVICE" in said
    assert "HOLDFAST.IN_DEBUG" in said
    assert "HOLDFAST.REDACT.KEY" in said


@pytest.mark.parametrize("boundary", ["django.request", "django.command", "django.task"])
def test_a_runtime_that_is_there_already_stays_the_processs(boundary: str) -> None:
    """Requests, commands and tasks find the project's own all the same."""
    current.project_runtime().uninstall()
    other = Runtime(DjangoSettings(reporters=())).install()
    try:
        made = current.rebuild()
        assert environment.current() is other
        with work_context(boundary=boundary):
            assert environment.current() is made
    finally:
        other.uninstall()


def test_what_the_project_has_handled_is_no_error_of_the_process(
    project: RecordingProject,
) -> None:
    """The server's log and the end of the process tell the process's runtime, which is another one."""
    current.project_runtime().uninstall()
    other = RecordingRuntime()
    other.install()
    try:
        current.replace(current.project_runtime())
        error = KeyError("sku")
        token = begin(boundary=current.BOUNDARY)
        current.project_runtime().handle(error, Origin(boundary=current.BOUNDARY))
        end(token)

        logging.getLogger("gunicorn.error").error("Error handling request", exc_info=error)

        assert len(project.recorded.records) == 1
        assert other.recorded.records == []
    finally:
        other.uninstall()


BEFORE_DJANGO = """
import atexit, threading, django
from django.conf import settings
from holdfast.origin import Origin
from holdfast.starting import init_error_system

leaving = threading.Event()


class Late:
    def __init__(self, name):
        self.name, self.reported = name, []

    def report(self, event):
        leaving.wait(10)
        self.reported.append(event.record.type)

    def close(self):
        print(self.name, *self.reported, flush=True)


init_error_system(reporters=[])
settings.configure(INSTALLED_APPS=["holdfast_django"], HOLDFAST={"REPORTERS": []})
django.setup()

from holdfast_django import current
from holdfast_django.conf import DjangoSettings
from holdfast.runtime import Runtime

for name in ("first", "second"):
    made = current.replace(Runtime(DjangoSettings(reporters=()), reporters=[Late(name)]))
made.handle(KeyError("sku"), Origin(boundary="test"))
atexit.register(leaving.set)
"""


def test_what_waits_is_delivered_at_the_end_beside_a_runtime_that_was_there() -> None:
    """`init_error_system` before `django.setup`: both are flushed; one that was replaced, at once."""
    done = subprocess.run(
        [sys.executable, "-c", BEFORE_DJANGO],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert done.stdout.splitlines() == ["first", "second KeyError"]
    assert done.stderr == ""


@pytest.mark.parametrize("installed", [True, False])
def test_a_runtime_that_was_replaced_is_let_go(*, installed: bool) -> None:
    """Nothing closes it once more when the process ends, so that its memory is free."""
    current.project_runtime().uninstall()
    other = Runtime(DjangoSettings(reporters=()))
    if not installed:
        other.install()
    try:
        replaced = weakref.ref(current.replace(Runtime(DjangoSettings(reporters=()))))
        current.replace(Runtime(DjangoSettings(reporters=())))
        gc.collect()

        assert replaced() is None
    finally:
        other.uninstall()


def test_settings_of_another_kind_have_djangos_defaults(project: RecordingProject) -> None:
    """A runtime made by hand may have the core's settings alone."""
    current.replace(Runtime())

    assert current.project_settings() == DjangoSettings()


def test_error_views_are_installed_where_django_looks() -> None:
    """The project's urls stay untouched."""
    assert default_handlers.handler500 is views.server_error
    assert default_handlers.handler404 is views.page_not_found


def test_getting_ready_twice_is_harmless() -> None:
    """As some test runners do: the receiver is connected once, and checks are kept."""
    receivers = len(got_request_exception.receivers)
    checks = [check.name for check in current.project_runtime().health.checks]

    apps.get_app_config("holdfast_django").ready()

    assert len(got_request_exception.receivers) == receivers
    assert [check.name for check in current.project_runtime().health.checks] == checks


def test_django_rest_framework_and_sentry_are_not_imported() -> None:
    """They are extras."""
    code = (
        "import sys, django; from django.conf import settings;"
        "settings.configure(INSTALLED_APPS=['holdfast_django'], HOLDFAST={'REPORTERS': []},"
        " MIDDLEWARE=['holdfast_django.middleware.HoldfastMiddleware']);"
        "django.setup(); import holdfast_django.middleware;"
        "print([name for name in ('rest_framework', 'sentry_sdk') if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )

    assert done.stdout.strip() == "[]"
