"""Where the policies of a project are."""

from django.urls import get_resolver
from django.utils.module_loading import autodiscover_modules


def discover() -> None:
    """Import what defines policies: a module `policies` of each app, and what the addresses import."""
    autodiscover_modules("policies")
    get_resolver().url_patterns  # noqa: B018  # imports what the views import
