"""Documents of OpenAPI for views of Django itself: how the project answers errors, and which view is behind a path.

For apispec's plugin; what Django REST framework serves is described by `holdfast_django.openapi`.
"""

import re
from typing import Final

from holdfast.openapi import ServiceErrors
from holdfast_django.catalog import catalog_address
from holdfast_django.current import project_settings
from holdfast_django.routes import routes

_VARIABLE: Final = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")


def service_errors() -> ServiceErrors:
    """Return what documents have to know of the project.

    Example:
        >>> [form.value for form in service_errors().formats]
        ['application/json', 'application/problem+json']
    """
    settings = project_settings()
    return ServiceErrors(
        response_format=settings.response_format,
        problem_type=settings.problem_type,
        catalog=catalog_address(),
        view_of=view_of,
    )


def view_of(path: str, _method: str = "") -> object:
    """Return the view behind a path as documents write it, or None when no route is like it.

    Example:
        >>> view_of("/products/{sku}").__name__
        'product'
    """
    for route, view in routes():
        written = _VARIABLE.sub(r"{\1}", route)
        if f"/{written}" == path:
            return view
    return None
