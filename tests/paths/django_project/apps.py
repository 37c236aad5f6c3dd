"""The project's own app, which may fail while it gets ready."""

import os

from django.apps import AppConfig
from django.core.signals import got_request_exception, request_finished, request_started

from tests.paths.django_project import receivers


class Project(AppConfig):
    """Connects the receivers that fail where an address asks for it."""

    name = "tests.paths.django_project"
    label = "mishaps"

    def ready(self) -> None:
        """Connect, or fail where the environment asks for it."""
        if os.environ.get("HOLDFAST_TEST_BREAK") == "ready":
            raise KeyError("the app did not get ready")
        got_request_exception.connect(receivers.fail, weak=False)
        request_started.connect(receivers.start, weak=False)
        request_finished.connect(receivers.finish, weak=False)
