"""A Django project for these tests alone; other folders of tests run without Django."""

from collections.abc import Iterator
from weakref import WeakValueDictionary

import django
import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from django.test.utils import setup_test_environment, teardown_test_environment

from holdfast import environment
from holdfast.health import HealthRegistry
from holdfast.reporting.dispatcher import Reporter
from holdfast.resilience import policy
from holdfast.runtime import Runtime
from holdfast.settings import ReportingSettings
from holdfast.testing import FakeClock, RecordingReporter
from holdfast_django import current
from holdfast_django.conf import DjangoHealthSettings, DjangoSettings
from holdfast_django.rules import rules_of
from tests.django_ext.asking import Ask, ask_asgi, ask_wsgi
from tests.django_ext.servers import Server, serve

with pytest.MonkeyPatch.context() as patch:  # for this process alone, not for those it starts
    patch.setenv("DJANGO_SETTINGS_MODULE", "tests.django_ext.project.settings")
    django.setup()
current.project_runtime().uninstall()  # other folders of tests start without a runtime


@pytest.fixture(scope="session", autouse=True)
def prepared_django(request: pytest.FixtureRequest) -> Iterator[None]:
    """Prepare Django as its own test runner does."""
    if request.config.pluginmanager.hasplugin("django"):
        # pytest-django, where it is installed, prepares by itself, and forbids databases.
        request.getfixturevalue("django_db_blocker").unblock()
        yield
        return
    setup_test_environment()
    yield
    teardown_test_environment()


class RecordingProject:
    """Makes runtimes for the project that keep what they deliver."""

    def __init__(self) -> None:
        self.recorded = RecordingReporter()

    def configure(
        self,
        *reporters: Reporter,
        named: tuple[str, ...] = (),
        inline: bool = True,
        **settings: object,
    ) -> Runtime:
        """Give the project a runtime with these settings and, beside the recording one, reporters."""
        chosen = DjangoSettings(
            reporters=named,
            reporting=ReportingSettings(inline=inline),
            **settings,  # type: ignore[arg-type]  # validated by the class
        )
        runtime = Runtime(
            chosen,
            adapter_rules=rules_of(chosen),
            clock=FakeClock(),
            reporters=[self.recorded, *reporters],
        )
        return current.replace(runtime)


@pytest.fixture(autouse=True)
def project() -> Iterator[RecordingProject]:
    """Give each test a project with a fresh runtime, and leave nothing behind."""
    made = RecordingProject()
    before = current.project_runtime()
    made.configure()
    yield made
    current.project_runtime().uninstall()
    current.replace(before)
    environment.set_default(None)


@pytest.fixture
def registry(project: RecordingProject) -> Iterator[HealthRegistry]:
    """Give the test a registry without checks, of which everybody sees details."""
    runtime = project.configure(health=DjangoHealthSettings(details="always"))
    kept = runtime.health.checks
    for check in kept:
        runtime.health.unregister_check(check.name)
    yield runtime.health
    left = current.project_runtime().health
    for check in left.checks:
        left.unregister_check(check.name)
    for check in kept:
        left.add(check)


@pytest.fixture(params=["wsgi", "asgi"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Ask the project through a synchronous stack and through an asynchronous one."""
    return ask_wsgi if request.param == "wsgi" else ask_asgi


@pytest.fixture(autouse=True)
def _no_policies_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Know of no policy that other tests of this process define."""
    monkeypatch.setattr(policy, "_declared", WeakValueDictionary[int, policy.Policy]())


@pytest.fixture(scope="session", params=["wsgi", "asgi"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Serve the project with gunicorn and with uvicorn."""
    pytest.importorskip({"wsgi": "gunicorn", "asgi": "uvicorn"}[request.param])
    folder = tmp_path_factory.mktemp(request.param)
    with serve(request.param, folder) as running:
        yield running


@pytest.fixture
def rf_request() -> HttpRequest:
    """Make a request that no middleware has seen."""
    return RequestFactory().get("/")
