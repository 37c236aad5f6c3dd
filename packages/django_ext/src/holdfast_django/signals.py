"""Receivers of Django's signals: of exceptions, which views, middlewares and templates raise, and of the loop's begin."""

import sys
from contextlib import suppress

from django.conf import settings
from django.core.signals import got_request_exception, request_started
from django.http import HttpRequest

from holdfast.complaints import complain
from holdfast.hooks.loops import watch_loop
from holdfast_django.capture import capture
from holdfast_django.current import project_settings

_UID = "holdfast_django"


def connect() -> None:
    """Connect the receiver, once however often this is called."""
    got_request_exception.connect(receive, weak=False, dispatch_uid=_UID)


def receive(request: HttpRequest | None = None, **_: object) -> None:
    """Capture the exception that is being handled; does no work in the database, which may be rolled back."""
    try:
        error = sys.exception()
        if error is not None and request is not None:
            # Where they are, no view of ours answers what middlewares raise.
            shown = settings.DEBUG or settings.DEBUG_PROPAGATE_EXCEPTIONS
            capture(request, error, resumable=not shown)
    except Exception as failure:  # noqa: BLE001  # Django sends with `send`: this would replace the user's error
        complain(f"capture raised {type(failure).__name__}")


def resend(request: HttpRequest) -> None:
    """Tell Django's other listeners of the exception being handled, because answering it keeps Django from it.

    Error trackers and the test client hear of errors by this signal alone.
    """
    got_request_exception.send_robust(sender=None, request=request)


def await_loop() -> None:
    """Watch the event loop as soon as it serves its first request, where one is going to.

    Django has no signal for the begin of a loop; and a middleware, this one included, is called on
    another thread where one below it is synchronous.
    """
    if "django.core.handlers.asgi" in sys.modules and project_settings().hooks.asyncio:
        request_started.connect(_serving, weak=False, dispatch_uid=_UID)


async def _serving(**_: object) -> None:
    request_started.disconnect(dispatch_uid=_UID)  # as an asynchronous receiver it is not for free
    with suppress(
        Exception
    ):  # of a loop with a mind of its own: Django would break off the request
        watch_loop()
