"""What we rely on of django-health-check; each test says what breaks here when it changes."""

import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime, timedelta

import django
import pytest
from django.conf import settings

pytest.importorskip("health_check")

from health_check import base, exceptions, views  # after the skip
from health_check.management.commands import health_check as command

UTC_NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _django() -> None:
    """Have settings, as the library's views need them."""
    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["testserver"], USE_TZ=True)
    django.setup()


@dataclass
class Passing(base.HealthCheck):  # type: ignore[misc]  # ships no annotations
    """Passes."""

    shelf: str = "a"

    def run(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # may be either
        """Pass."""


@dataclass
class Failing(base.HealthCheck):  # type: ignore[misc]  # ships no annotations
    """Fails as it is told."""

    error: BaseException

    async def run(self) -> None:
        """Fail."""
        raise self.error


@dataclass
class Noting(base.HealthCheck):  # type: ignore[misc]  # ships no annotations
    """Notes its thread."""

    seen: list[str] = field(default_factory=list[str])

    def run(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # may be either
        """Note it."""
        self.seen.append(threading.current_thread().name)


def parameters(function: object) -> list[str]:
    """Return the names of what a function takes."""
    return [*inspect.signature(function).parameters]  # type: ignore[arg-type]  # a function


def test_a_check_is_a_dataclass_whose_repr_is_its_name() -> None:
    """`register_health_checks` names checks by `repr`; `RegistryCheck` overrides it and `labels`."""
    assert is_dataclass(base.HealthCheck), "RegistryCheck is a dataclass because its parent is one"
    assert not fields(base.HealthCheck), "RegistryCheck(name) would get other parameters first"
    assert repr(Passing("b")) == "Passing(shelf='b')", "names of registered checks would change"
    assert isinstance(vars(base.HealthCheck)["labels"], property), (
        "RegistryCheck.labels would not be read"
    )
    assert Passing("b").labels == {"check": "Passing", "shelf": "b"}, (
        "labels of metrics are not these"
    )


def test_a_check_has_a_time_limit_that_its_class_may_change() -> None:
    """`RegistryCheck.timeout` is a property; `register_health_checks` adds to it."""
    assert isinstance(base.HealthCheck.timeout, timedelta), (
        "HealthCheckOf could not tell how long it takes"
    )


async def test_get_result_takes_an_executor_and_never_raises() -> None:
    """The seam in both directions: `HealthCheckOf` calls it, `RegistryCheck` is called by it."""
    assert inspect.iscoroutinefunction(base.HealthCheck.get_result), (
        "HealthCheckOf runs a coroutine"
    )
    assert parameters(base.HealthCheck.get_result) == ["self", "executor"], (
        "HealthCheckOf passes one"
    )

    with ThreadPoolExecutor(1) as executor:
        result = await Passing().get_result(executor)

    names = {each.name for each in fields(result)}
    assert names == {"check", "error", "time_taken"}, "feeds make results, HealthCheckOf reads them"
    assert result.error is None, "HealthCheckOf would take it for a failure"
    assert isinstance(result.time_taken, float), "feeds make results with one"


async def test_a_plain_check_runs_on_the_executor_it_is_given() -> None:
    """`HealthCheckOf` runs it on a daemon thread, and closes its connections there."""
    with ThreadPoolExecutor(1, "given") as executor:
        check = Noting()
        await check.get_result(executor)

    assert check.seen[0].startswith("given"), "connections of such checks would not be closed"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (exceptions.ServiceWarning("slow", timestamp=UTC_NOW), exceptions.ServiceWarning),
        (exceptions.ServiceUnavailable("gone", timestamp=UTC_NOW), exceptions.ServiceUnavailable),
        (KeyError("shelf"), exceptions.HealthCheckException),
    ],
)
async def test_what_a_check_raises_is_told_by_class(
    error: Exception, kind: type[Exception]
) -> None:
    """`HealthCheckOf` warns for a ServiceWarning, and fails for whatever else."""
    result = await Failing(error).get_result()

    assert type(result.error) is kind, "HealthCheckOf would tell another status"


def test_exceptions_are_made_and_read_as_we_do() -> None:
    """`error_of` makes them with a time, so that no settings are needed; `HealthCheckOf` reads them."""
    error = exceptions.ServiceUnavailable("gone", timestamp=UTC_NOW)

    assert issubclass(exceptions.ServiceWarning, exceptions.HealthCheckException)
    assert (error.message, error.message_type) == ("gone", "Unavailable"), "outputs would change"
    assert getattr(error, "timestamp", None) == UTC_NOW, "feeds would have other times"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dispatch", ["self", "request", "args", "kwargs"]),
        ("get", ["self", "request", "args", "kwargs"]),
        ("get_checks", ["self"]),
        ("get_executor", ["self"]),
        ("render_to_response_atom", ["self"]),
        ("render_to_response_rss", ["self"]),
        ("render_to_response_json", ["self", "status"]),
        ("render_to_response_text", ["self", "status"]),
        ("render_to_response_openmetrics", ["self"]),
    ],
)
def test_the_view_has_the_methods_we_override_or_call(name: str, expected: list[str]) -> None:
    """`HealthView` overrides `dispatch` and `get_checks`; feeds call the two renderers."""
    method = getattr(views.HealthCheckView, name)

    assert parameters(inspect.unwrap(method)) == expected, f"HealthView or feeds rely on {name}"


def test_the_view_is_asynchronous_and_names_its_class() -> None:
    """By which the command finds the checks, and Django awaits the view."""
    view = views.HealthCheckView.as_view(checks=[Passing])

    assert views.HealthCheckView.view_is_async, "HealthView.dispatch is a coroutine"
    assert getattr(view, "view_class", None) is views.HealthCheckView, (
        "HealthPattern sets view_class on its plain view"
    )
    assert getattr(view, "view_initkwargs", None) == {"checks": [Passing]}, (
        "HealthPattern sets view_initkwargs too"
    )


def test_the_view_takes_classes_paths_and_pairs() -> None:
    """`register_health_checks` leaves reading its list to the view."""
    view = views.HealthCheckView(
        checks=[Passing, (Passing, {"shelf": "b"}), "health_check.Storage"]
    )

    assert [*map(repr, view.get_checks())] == [
        "Passing(shelf='a')",
        "Passing(shelf='b')",
        "Storage(alias='default')",
    ]


def test_the_command_asks_get_checks_of_the_class_it_finds() -> None:
    """`manage.py health_check health-ready --no-http` runs our checks by `HealthView.get_checks`."""
    source = inspect.getsource(getattr(command.Command, "_run_checks_directly"))  # noqa: B009  # has no annotations

    assert "func.view_class(**resolver_match.func.view_initkwargs)" in source, "see HealthPattern"
    assert "view.get_checks()" in source, "see HealthView.get_checks"
    assert "check.get_result()" in source, "RegistryCheck.run has to stay asynchronous"
