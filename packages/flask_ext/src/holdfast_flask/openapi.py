"""Documents of OpenAPI for Flask: how an application answers errors, and which view is behind a path.

For apispec's plugin, also through flask-smorest and APIFlask; see `holdfast.integrations.apispec`.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Final, cast
from urllib.parse import quote

from flask import Flask

from holdfast.openapi import ServiceErrors
from holdfast_flask.config import settings_of

_VARIABLE: Final = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")


def service_errors(app: Flask) -> ServiceErrors:
    """Return what documents have to know of an application; it need not be connected yet.

    Raises:
        SettingsError: With every mistake in the settings at once.

    Example:
        >>> app = Flask("shop")
        >>> app.config["HOLDFAST_RESPONSE_FORMAT"] = "problem"
        >>> [form.value for form in service_errors(app).formats]
        ['application/problem+json']
    """
    settings = settings_of(app)
    return ServiceErrors(
        response_format=settings.response_format,
        problem_type=settings.problem_type,
        catalog=_catalog(app, settings.catalog_prefix),
        view_of=partial(view_of, app),
    )


def _catalog(app: Flask, prefix: str | None) -> str:
    """Return the path of the pages of codes, below where the application says that it is mounted.

    Where it really is only a request knows.
    """
    mounted = quote(str(cast("object", app.config["APPLICATION_ROOT"]) or "").strip("/"))
    return f"{f'/{mounted}' if mounted else ''}{prefix}/" if prefix else ""


def view_of(app: Flask, path: str, method: str) -> Callable[..., object] | None:
    """Return the view of an operation, or None when no rule has its path and method.

    Args:
        app: Whose rules are looked through.
        path: As documents write it: `/orders/{order_id}`.
        method: In upper case.
    """
    for rule in app.url_map.iter_rules():
        if path_of(rule.rule) == path and method in (rule.methods or ()):
            return app.view_functions.get(rule.endpoint)
    return None


def path_of(rule: str) -> str:
    """Return a rule of Flask as documents write it.

    Example:
        >>> path_of("/orders/<int:order_id>/lines/<line>")
        '/orders/{order_id}/lines/{line}'
    """
    return _VARIABLE.sub(r"{\1}", rule)
