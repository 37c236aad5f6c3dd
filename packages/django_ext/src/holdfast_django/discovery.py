"""Where the policies of a project are."""

from django.conf import settings
from django.urls import get_resolver
from django.utils.module_loading import autodiscover_modules


def discover() -> None:
    """Import what defines policies: a module `policies` of each app, and what the addresses import."""
    autodiscover_modules("policies")
    if getattr(settings, "ROOT_URLCONF", None):  # which a project without views may lack
        get_resolver().url_patterns  # noqa: B018  # imports what the views import
