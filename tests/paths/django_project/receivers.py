"""Receivers of Django's signals that fail where the request asks for it."""

from collections.abc import Mapping
from typing import Any

from django.core.signals import request_finished
from django.http import HttpRequest

_finishing: list[str] = []


def fail(request: HttpRequest | None = None, **_: object) -> None:
    """Fail while the request's error is announced."""
    if request is not None and request.path == "/row/receiver-raises":
        raise LookupError("the receiver broke")


def start(
    environ: Mapping[str, str] | None = None, scope: Mapping[str, Any] | None = None, **_: object
) -> None:
    """Fail before there is a request."""
    if environ is not None:
        path, name = environ["PATH_INFO"], environ.get("HTTP_X_REQUEST_ID", "")
    else:
        assert scope is not None
        path, name = scope["path"], dict(scope["headers"]).get(b"x-request-id", b"").decode()
    if path == "/row/request-started":
        raise LookupError(f"the receiver broke for {name}")


def finish(**_: object) -> None:
    """Fail after the answer has left."""
    if _finishing:
        raise LookupError(f"the receiver broke for {_finishing.pop()}")


def finish_badly(name: str) -> None:
    """Let the next request's end fail."""
    assert request_finished.receivers
    _finishing.append(name)
