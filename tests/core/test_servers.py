"""What servers do to applications, read from the functions an exception passed."""

import sys
from types import ModuleType

import pytest

from holdfast.codes import ErrorCode
from holdfast.hooks.servers import aborted, last_place, located
from holdfast.origin import Origin


def raised_in(module: str, function: str, error: BaseException) -> BaseException:
    """Return an exception that was raised in a function of that name, in a module of that name."""
    made = ModuleType(module)
    exec(f"def {function}(error): raise error", made.__dict__)  # noqa: S102  # a frame of another's module
    try:
        made.__dict__[function](error)
    except BaseException as caught:  # noqa: BLE001  # an exit too
        return caught
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("boundary", ["process", "thread", "log"])
@pytest.mark.parametrize(
    ("module", "function"),
    [("django", "setup"), ("gunicorn.app.base", "wsgi"), ("uvicorn.config", "load_app")],
)
def test_an_error_that_left_what_builds_the_application_is_of_the_start_up(
    boundary: str, module: str, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever net it fell into; the operation is the program, and what else is known stays."""
    monkeypatch.setattr(sys, "argv", ["/srv/shop/manage.py", "check"])
    error = raised_in(module, function, KeyError("sku"))
    told = {"said": "Exception in worker process"}

    origin = located(error, Origin(boundary=boundary, operation="gunicorn.error", attributes=told))

    assert origin == Origin(boundary="startup", operation="manage.py", attributes=told)


@pytest.mark.parametrize(
    ("boundary", "module", "function"),
    [
        ("process", "shop.jobs", "setup"),
        ("process", "django", "get_version"),
        ("django.command", "django", "setup"),
        ("block", "django", "setup"),
    ],
)
def test_any_other_error_stays_where_it_was_seen(boundary: str, module: str, function: str) -> None:
    """Of other functions, or seen by a boundary that knows better."""
    origin = Origin(boundary=boundary, operation="x")

    assert located(raised_in(module, function, KeyError("sku")), origin) is origin


def test_an_error_that_was_never_raised_stays_where_it_was_seen() -> None:
    """It has no traceback."""
    origin = Origin(boundary="log")

    assert located(KeyError("sku"), origin) is origin
    assert last_place(KeyError("sku")) == ("", "")


def test_the_exit_that_gunicorn_forces_on_a_worker_is_a_crash() -> None:
    """With the frames of the exit, which show where the worker was."""
    leaving = raised_in("gunicorn.workers.base", "handle_abort", SystemExit(1))

    found = aborted(leaving)

    assert found is not None
    assert found.code == ErrorCode.PROCESS_CRASHED.code
    assert found.__traceback__ is leaving.__traceback__


@pytest.mark.parametrize(
    "error",
    [
        raised_in("gunicorn.workers.base", "handle_abort", KeyError("of worker_abort")),
        raised_in("gunicorn.workers.base", "handle_quit", SystemExit(0)),
        raised_in("shop.views", "handle_abort", SystemExit(1)),
        SystemExit(1),
    ],
    ids=["another error", "another handler", "another module", "never raised"],
)
def test_any_other_exit_is_control_flow(error: BaseException) -> None:
    """It means nothing beyond itself."""
    assert aborted(error) is None
