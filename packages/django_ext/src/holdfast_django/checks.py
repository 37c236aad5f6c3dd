"""System checks: what would make errors escape, told before it happens."""

import ast
import inspect
import logging
import re
import sys
from collections.abc import Iterator
from itertools import takewhile
from textwrap import dedent
from typing import Final

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004  # Django's name
from django.db import DEFAULT_DB_ALIAS
from django.urls import get_resolver
from django.utils.module_loading import import_string

from holdfast.catalog import clashes
from holdfast.environment import activated
from holdfast.events import Event
from holdfast.handler import Action, Verdict
from holdfast.hooks.process import attached
from holdfast.loading import misspelt_targets
from holdfast.origin import Origin
from holdfast_django.asynchrony import is_async
from holdfast_django.current import project_runtime, project_settings
from holdfast_django.discovery import discover
from holdfast_django.probes import Addresses, addresses
from holdfast_django.routes import routes

MIDDLEWARE: Final = "holdfast_django.middleware.HoldfastMiddleware"
HANDLER: Final = "holdfast_django.rest_framework.exception_handler"
SECURITY: Final = "django.middleware.security.SecurityMiddleware"
CSRF_VIEW: Final = "django.views.csrf.csrf_failure"
OUR_CSRF_VIEW: Final = "holdfast_django.views.csrf_failure"


def check_middleware(**_: object) -> list[CheckMessage]:
    """Tell when the middleware is missing (E001) or not the outermost one (W001)."""
    paths = [*settings.MIDDLEWARE]
    ours = [index for index, path in enumerate(paths) if _is_middleware(path)]
    if not ours:
        return [
            Error(
                "HoldfastMiddleware is not in MIDDLEWARE, so that errors of views are not answered.",
                hint=f"Put {MIDDLEWARE!r} first in MIDDLEWARE.",
                id="holdfast.E001",
            )
        ]
    if ours[0] > 0:
        return [
            Warning(
                f"HoldfastMiddleware comes after {paths[0]!r}, whose errors and responses it does not see.",
                hint=f"Put {MIDDLEWARE!r} first in MIDDLEWARE.",
                id="holdfast.W001",
            )
        ]
    return []


def check_error_views(**_: object) -> list[CheckMessage]:
    """Tell of the project's own error views (W002) and CSRF view (W003), which win over ours."""
    urlconf = get_resolver().urlconf_module
    found: list[CheckMessage] = [
        Warning(
            f"The root urlconf defines handler{status}, so that errors with status {status} do not "
            "have the body of the others.",
            hint=f"Remove handler{status}, or silence this if it is meant.",
            id="holdfast.W002",
        )
        for status in (400, 403, 404, 500)
        if hasattr(urlconf, f"handler{status}")
    ]
    if settings.CSRF_FAILURE_VIEW not in {CSRF_VIEW, OUR_CSRF_VIEW}:
        found.append(
            Warning(
                "CSRF_FAILURE_VIEW is a view of the project's own, whose answers do not have the "
                "body of other errors.",
                hint="Remove the setting, or silence this if it is meant.",
                id="holdfast.W003",
            )
        )
    return found


def check_rest_framework(**_: object) -> list[CheckMessage]:
    """Tell when Django REST framework (W004) or one of its views (W005) answers errors by itself."""
    if not apps.is_installed("rest_framework"):
        return []
    if _handler_is_ours():
        return [*_views_with_handlers()]
    return [
        Warning(
            "Django REST framework answers errors by a handler of its own.",
            hint=f"Set REST_FRAMEWORK['EXCEPTION_HANDLER'] to {HANDLER!r}.",
            id="holdfast.W004",
        ),
        *_views_with_handlers(),
    ]


def check_async_views(**_: object) -> list[CheckMessage]:
    """Tell of asynchronous views under ATOMIC_REQUESTS (W006): Django answers all their requests with 500."""
    atomic = {alias for alias, db in settings.DATABASES.items() if db.get("ATOMIC_REQUESTS")}
    if not atomic:
        return []
    return [
        Warning(
            f"The asynchronous view at {route!r} fails for every request under ATOMIC_REQUESTS.",
            hint="Decorate it with django.db.transaction.non_atomic_requests.",
            id="holdfast.W006",
        )
        for route, view in routes()
        if is_async(view) and not atomic <= set(getattr(view, "_non_atomic_requests", ()))
    ]


def check_propagation(**_: object) -> list[CheckMessage]:
    """Tell when errors are handed to the server instead of being answered (W007)."""
    if not settings.DEBUG_PROPAGATE_EXCEPTIONS:
        return []
    return [
        Warning(
            "DEBUG_PROPAGATE_EXCEPTIONS is on: server errors are recorded, but not answered.",
            hint="Switch it off.",
            id="holdfast.W007",
        )
    ]


def check_app_order(**_: object) -> list[CheckMessage]:
    """Tell of apps in front of ours (W008), whose errors while the project starts are not seen."""
    names = [config.name for config in apps.get_app_configs()]
    before = takewhile(lambda name: name != "holdfast_django", names)
    first = next((name for name in before if not name.startswith("django.contrib.")), None)
    if first is None:
        return []
    return [
        Warning(
            f"holdfast_django comes after {first!r} in INSTALLED_APPS, and does not see what keeps that from starting.",
            hint="Put 'holdfast_django' first in INSTALLED_APPS.",
            id="holdfast.W008",
        )
    ]


def check_log_records(**_: object) -> list[CheckMessage]:
    """Tell when errors that are only logged are not seen (W009): somebody makes log records in our place."""
    runtime = project_runtime()
    if not project_settings().hooks.logging or runtime not in attached() or _hears_log_records():
        return []
    return [
        Warning(
            "A factory of log records was set that does not call the one before it, so that errors "
            "which are only logged are not seen.",
            hint="Let it call what logging.getLogRecordFactory() returned before.",
            id="holdfast.W009",
        )
    ]


def check_exception_middleware(**_: object) -> list[CheckMessage]:
    """Tell of middlewares that may answer an exception themselves (W010), of which nobody else hears then."""
    return [
        Warning(
            f"{path}.process_exception may answer an error itself. With less than 500 it is not "
            "recorded, with more its cause is lost.",
            hint="Let it return None and answer by an exception class of its own, or silence this if it is meant.",
            id="holdfast.W010",
        )
        for path in settings.MIDDLEWARE
        if not _is_middleware(path) and _may_answer(path)
    ]


def check_codes(**_: object) -> list[CheckMessage]:
    """Tell of codes that two places declare (E002), those among them that only the addresses import."""
    get_resolver().url_patterns  # noqa: B018  # imports what the views import
    return [
        Error(sentence, hint="Give one of the two another name.", id="holdfast.E002")
        for sentence in clashes()
    ]


def check_targets(**_: object) -> list[CheckMessage]:
    """Tell of handlers and recover actions for what looks like a code misspelt (W011)."""
    get_resolver().url_patterns  # noqa: B018  # imports what the views import
    return [
        Warning(sentence, hint="Spell it as it is declared.", id="holdfast.W011")
        for sentence in misspelt_targets(project_settings())
    ]


def check_policies(**_: object) -> list[CheckMessage]:
    """Tell of settings for policies that nobody defines (W012), or that do not go with the code (E003)."""
    discover()
    policies = project_runtime().policies
    return [
        *(
            Warning(sentence, hint="Spell it as in the code.", id="holdfast.W012")
            for sentence in policies.unnamed()
        ),
        *(
            Error(sentence, hint="Change the settings or the policy.", id="holdfast.E003")
            for sentence in policies.problems()
        ),
    ]


def check_health(**_: object) -> list[CheckMessage]:
    """Tell of probes that are redirected (W013), that do not come first (W014), and of databases that are not (W015)."""
    told = project_settings().health
    known = addresses(settings.ROOT_URLCONF) if getattr(settings, "ROOT_URLCONF", None) else None
    found: list[CheckMessage] = []
    if told.direct and not (known and known.groups):
        found.append(
            Warning(
                "HEALTH.DIRECT is on, but the root urlconf has no health endpoints.",
                hint="Add path('health/', include('holdfast_django.urls')) to it.",
                id="holdfast.W014",
            )
        )
    if known and not told.direct and (redirected := _redirected(known)):
        found.append(
            Warning(
                f"SECURE_SSL_REDIRECT redirects probes that come by plain HTTP, such as of {redirected!r}.",
                hint="Set HEALTH.DIRECT, or add the addresses to SECURE_REDIRECT_EXEMPT.",
                id="holdfast.W013",
            )
        )
    found += [
        Warning(
            f"HEALTH names the database {alias!r}, which is not in DATABASES, so that no probe asks it.",
            hint="Spell it as in DATABASES.",
            id="holdfast.W015",
        )
        for alias in dict.fromkeys((*told.databases, *told.migrations))
        if alias not in {DEFAULT_DB_ALIAS, *settings.DATABASES}
    ]
    return found


def _redirected(known: Addresses) -> str:
    """Return the address of a health endpoint that SecurityMiddleware redirects, or an empty string."""
    if not settings.SECURE_SSL_REDIRECT or SECURITY not in settings.MIDDLEWARE:
        return ""
    exempt = [re.compile(pattern) for pattern in settings.SECURE_REDIRECT_EXEMPT]
    return next(
        (f"/{path}" for path in known.groups if not any(each.search(path) for each in exempt)), ""
    )


CHECKS: Final = (
    check_middleware,
    check_error_views,
    check_rest_framework,
    check_async_views,
    check_propagation,
    check_app_order,
    check_log_records,
    check_exception_middleware,
    check_codes,
    check_targets,
    check_policies,
    check_health,
)
"""All of them; registered when the app is ready."""


def _is_middleware(path: str) -> bool:
    if path == MIDDLEWARE:
        return True
    from holdfast_django.middleware import HoldfastMiddleware  # noqa: PLC0415  # needs ready settings

    try:
        found = import_string(path)
    except ImportError:
        return False
    return isinstance(found, type) and issubclass(found, HoldfastMiddleware)


def _hears_log_records() -> bool:
    probe = _Probe()
    with activated(probe):
        error = LookupError("made to see who hears of it")
        told = LookupError, error, None
        logging.getLogRecordFactory()("holdfast_django", logging.ERROR, __file__, 0, "", (), told)
    return probe.heard


class _Probe:
    """Stands where the runtime stands, and notes whether an error comes."""

    def __init__(self) -> None:
        self.redactor = project_runtime().redactor
        self.heard = False

    def handle(self, error: BaseException, origin: Origin) -> Verdict:  # noqa: ARG002  # as the protocol has it
        self.heard = True
        return Verdict(action=Action.PROPAGATE)

    def emit(self, event: Event) -> None:
        pass

    def flush(self, timeout: float | None = None) -> bool:  # noqa: ARG002  # as the protocol has it
        return True


def _may_answer(path: str) -> bool:
    """Tell whether a middleware's `process_exception` returns anything but None, as far as its source says."""
    try:
        method = getattr(import_string(path), "process_exception", None)
        tree = None if method is None else ast.parse(dedent(inspect.getsource(method)))
    except ImportError:
        return False  # Django will say so
    except (OSError, TypeError, SyntaxError):
        return True  # its source cannot be read
    returns = [] if tree is None else [n for n in ast.walk(tree) if isinstance(n, ast.Return)]
    return any(
        node.value is not None
        and not (isinstance(node.value, ast.Constant) and node.value.value is None)
        for node in returns
    )


def _handler_is_ours() -> bool:
    chosen = getattr(settings, "REST_FRAMEWORK", {}).get("EXCEPTION_HANDLER")
    return chosen == HANDLER or (
        callable(chosen) and getattr(chosen, "__module__", "") == HANDLER.rpartition(".")[0]
    )


def _views_with_handlers() -> Iterator[CheckMessage]:
    views = sys.modules.get("rest_framework.views")
    api_view = getattr(views, "APIView", None)
    if api_view is None:
        return
    for route, view in routes():
        cls = getattr(view, "cls", None) or getattr(view, "view_class", None)
        if not (isinstance(cls, type) and issubclass(cls, api_view)):
            continue
        if getattr(cls, "get_exception_handler", None) is not api_view.get_exception_handler:
            yield Warning(
                f"{cls.__module__}.{cls.__qualname__} at {route!r} chooses an exception handler of "
                "its own, whose answers may not have the body of other errors.",
                hint="Let it return our handler, or silence this if it is meant.",
                id="holdfast.W005",
            )
