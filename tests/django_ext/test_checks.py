"""System checks: what would make errors escape."""

import logging
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path
from django.utils.deprecation import MiddlewareMixin
from rest_framework.views import APIView

from holdfast_django import current
from holdfast_django.checks import HANDLER, MIDDLEWARE, OUR_CSRF_VIEW
from holdfast_django.middleware import HoldfastMiddleware
from tests.django_ext.conftest import RecordingProject

WITHOUT_DRF = [app for app in settings.INSTALLED_APPS if app != "rest_framework"]
LATE_APPS = [*settings.INSTALLED_APPS[1:3], "holdfast_django", *settings.INSTALLED_APPS[3:]]


class OwnMiddleware(HoldfastMiddleware):
    """One of the project's own kind."""


class Answering(MiddlewareMixin):
    """Answers errors itself."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer some."""
        if isinstance(error, KeyError):
            return HttpResponse("all is well")
        return None


class Noting(MiddlewareMixin):
    """Notes errors, and answers none."""

    def process_exception(self, request: HttpRequest, error: Exception) -> None:
        """Note."""
        error.add_note("noted")
        if request.path:
            return


class Unreadable(MiddlewareMixin):
    """Has no source."""

    process_exception = staticmethod(print)


def ignore(*_: object) -> None:
    """Let every error go on."""


class OwnHandler(APIView):
    """A view that answers its errors by itself."""

    def get_exception_handler(self) -> Callable[..., Any]:
        """Choose another."""
        return ignore


async def coroutine(request: HttpRequest) -> HttpResponse:
    """Answer."""
    return HttpResponse()


def handler500(request: HttpRequest) -> HttpResponse:
    """Answer in the project's words."""
    return HttpResponse(status=500)


urlpatterns = [path("own", OwnHandler.as_view()), path("coroutine", coroutine)]


def found() -> list[str]:
    """Return the ids of what the checks found."""
    messages = [m for m in run_checks() if (m.id or "").startswith("holdfast")]
    assert all(message.hint for message in messages)
    return sorted(message.id or "" for message in messages)


def test_a_project_in_order_hears_nothing() -> None:
    """The project of these tests is."""
    assert found() == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"MIDDLEWARE": ["django.middleware.common.CommonMiddleware"]}, ["holdfast.E001"]),
        (
            {"MIDDLEWARE": ["django.middleware.common.CommonMiddleware", MIDDLEWARE]},
            ["holdfast.W001"],
        ),
        ({"MIDDLEWARE": [f"{__name__}.OwnMiddleware"]}, []),
        ({"CSRF_FAILURE_VIEW": "shop.views.refused"}, ["holdfast.W003"]),
        ({"CSRF_FAILURE_VIEW": OUR_CSRF_VIEW}, []),
        ({"REST_FRAMEWORK": {}}, ["holdfast.W004"]),
        ({"REST_FRAMEWORK": {"EXCEPTION_HANDLER": HANDLER}}, []),
        ({"DEBUG_PROPAGATE_EXCEPTIONS": True}, ["holdfast.W007"]),
        ({"INSTALLED_APPS": WITHOUT_DRF, "REST_FRAMEWORK": {}}, []),
        ({"INSTALLED_APPS": [*settings.INSTALLED_APPS[1:], "holdfast_django"]}, ["holdfast.W008"]),
        ({"INSTALLED_APPS": LATE_APPS}, []),
        ({"MIDDLEWARE": [MIDDLEWARE, f"{__name__}.Answering"]}, ["holdfast.W010"]),
        ({"MIDDLEWARE": [MIDDLEWARE, f"{__name__}.Unreadable"]}, ["holdfast.W010"]),
        ({"MIDDLEWARE": [MIDDLEWARE, f"{__name__}.Noting", f"{__name__}.nowhere"]}, []),
        ({"HOLDFAST": {"REPORTERS": [], "HOOKS": {"LOGGING": False}}}, []),
    ],
)
def test_what_lets_errors_escape_is_told(changed: dict[str, Any], expected: list[str]) -> None:
    """Each by its own id."""
    with override_settings(**changed):
        assert found() == expected


def ignored(*_: object) -> None:
    """Leave an error to others."""


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("DB_CONECTION_ERROR", ["holdfast.W011"]),
        ("DB_CONNECTION_ERROR", []),
        ("DATABASE", []),
        ("OUR_OWN_CATEGORY", []),
        ("builtins.KeyError", []),
    ],
)
def test_a_handler_for_a_code_misspelt_is_told(target: str, expected: list[str]) -> None:
    """It could be a category; but nothing declares it, and it looks like a code."""
    function = f"{__name__}:ignored"
    given: dict[str, object] = {
        "HANDLERS": {target: function},
        "RECOVERIES": {target: {"ACTION": function}},
    }

    for setting, value in given.items():
        with override_settings(HOLDFAST={"REPORTERS": [], setting: value}):
            assert found() == expected


@override_settings(ROOT_URLCONF=__name__)
def test_handlers_of_the_project_are_told() -> None:
    """Of the root urlconf (W002), and of a view of Django REST framework (W005)."""
    assert found() == ["holdfast.W002", "holdfast.W005"]


@override_settings(ROOT_URLCONF=__name__)
def test_asynchronous_views_in_transactions_are_told() -> None:
    """Django cannot run them."""
    with patch.dict(settings.DATABASES["default"], ATOMIC_REQUESTS=True):
        assert "holdfast.W006" in found()


@pytest.mark.parametrize("passes_on", [True, False])
def test_a_factory_of_log_records_that_keeps_them_to_itself_is_told(*, passes_on: bool) -> None:
    """One that calls the factory before it is in order (W009); asking records nothing."""
    before = logging.getLogRecordFactory()

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401  # as logging calls it
        return (before if passes_on else logging.LogRecord)(*args, **kwargs)

    logging.setLogRecordFactory(make)
    try:
        assert found() == ([] if passes_on else ["holdfast.W009"])
    finally:
        logging.setLogRecordFactory(before)


def test_a_runtime_without_hooks_hears_nothing_of_log_records(project: RecordingProject) -> None:
    """As one that was uninstalled, or that a test has made."""
    current.project_runtime().uninstall()

    assert found() == []
    assert project.recorded.records == []
