"""The receiver of `got_request_exception`: the one hook that sees what views, middlewares and templates raise."""

import sys
from contextlib import suppress

from django.core.signals import got_request_exception
from django.http import HttpRequest

from holdfast_django.capture import capture

_UID = "holdfast_django"


def connect() -> None:
    """Connect the receiver, once however often this is called."""
    got_request_exception.connect(receive, weak=False, dispatch_uid=_UID)


def receive(request: HttpRequest | None = None, **_: object) -> None:
    """Capture the exception that is being handled; does no work in the database, which may be rolled back."""
    try:
        error = sys.exception()
        if error is not None and request is not None:
            capture(request, error)
    except Exception as failure:  # noqa: BLE001  # Django sends with `send`: this would replace the user's error
        with suppress(Exception):  # standard error may be closed, or None
            sys.stderr.write(f"holdfast: capture raised {type(failure).__name__}\n")


def resend(request: HttpRequest) -> None:
    """Tell Django's other listeners of the exception being handled, because answering it keeps Django from it.

    Error trackers and the test client hear of errors by this signal alone.
    """
    got_request_exception.send_robust(sender=None, request=request)
