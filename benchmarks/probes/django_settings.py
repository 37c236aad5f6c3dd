"""What the two Django projects have in common."""

from typing import Final

from django.db import connections
from django.http import HttpRequest, HttpResponse

from benchmarks.probes.trouble import database_port

# No option that bounds a connection: as it is when nobody has thought of it.
DATABASE: Final = {
    "ENGINE": "django.db.backends.postgresql",
    "HOST": "127.0.0.1",
    "PORT": database_port(),
    "NAME": "test",
    "USER": "root",
}
COMMON: Final[dict[str, object]] = {
    "ALLOWED_HOSTS": ["127.0.0.1"],
    "DATABASES": {"default": DATABASE},
    "DEBUG": False,
    "USE_TZ": True,
}


def load_driver() -> None:
    """Import the driver, as projects with models have by the time that they serve."""
    _ = connections["default"]


def empty(_: HttpRequest) -> HttpResponse:
    """Answer, as any view behind WSGI."""
    return HttpResponse(b"ok")


async def empty_async(_: HttpRequest) -> HttpResponse:
    """Answer, as any view behind ASGI."""
    return HttpResponse(b"ok")
