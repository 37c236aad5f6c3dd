"""One cold interpreter: imports a framework, then prints what a library costs on top of it.

Usage: imports.py BEFORE WHAT, of `_BEFORE` and `_WHAT`; prints seconds and bytes as JSON.
"""

import importlib
import json
import logging
import sys
from collections.abc import Callable
from time import perf_counter

import psutil


def django() -> None:
    """Load Django as a WSGI server does."""
    from django.conf import settings  # noqa: PLC0415  # what is measured
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415

    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
        ROOT_URLCONF="imports",
        USE_TZ=True,
    )
    get_wsgi_application()


def _modules(*names: str) -> Callable[[], None]:
    def load() -> None:
        for name in names:
            importlib.import_module(name)

    return load


def _sentry() -> None:
    import sentry_sdk  # noqa: PLC0415  # what is measured

    sentry_sdk.init()


def _for_django() -> None:
    from holdfast_django import current, middleware, signals, views  # noqa: F401, PLC0415

    current.rebuild()


def _for_flask() -> None:
    from flask import Flask  # noqa: PLC0415  # loaded before

    from holdfast_flask import Holdfast  # noqa: PLC0415  # what is measured

    Holdfast(Flask("benchmark"))


def _for_calls() -> None:
    from holdfast import Breaker, Policy, Retry, Timeout  # noqa: PLC0415  # what is measured

    Policy("stock", Timeout(2.0), Retry(), Breaker())(lambda: None)()


def _all(*steps: Callable[[], None]) -> Callable[[], None]:
    def load() -> None:
        for step in steps:
            step()

    return load


_REST = _modules("rest_framework.views")
_BEFORE = {
    "django": django,
    "drf": _all(django, _REST),
    "drf+ours": _all(django, _REST, _for_django),
    "flask": _modules("flask"),
    "flask+ours": _all(_modules("flask"), _for_flask),
}
_FOR_CALLS = (
    *("pybreaker", "circuitbreaker", "aiobreaker", "purgatory", "interlock", "redress"),
    *("tenacity", "stamina", "backoff", "cachetools", "dogpile.cache"),
)
_WHAT: dict[str, Callable[[], None]] = {
    "holdfast": _modules("holdfast"),
    "django": _for_django,
    "flask": _for_flask,
    "rest": _modules("holdfast_django.rest_framework"),
    "sentry": _sentry,
    "drf_standardized_errors": _modules("drf_standardized_errors.handler"),
    "policy": _for_calls,
    **{name: _modules(name) for name in _FOR_CALLS},
}

urlpatterns: list[object] = []

if __name__ == "__main__":
    logging.disable()
    _BEFORE[sys.argv[1]]()
    process = psutil.Process()
    size, start = process.memory_info().rss, perf_counter()
    _WHAT[sys.argv[2]]()
    seconds = perf_counter() - start
    print(json.dumps([seconds, process.memory_info().rss - size]))
