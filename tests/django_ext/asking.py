"""Ask the project without a server, as WSGI and ASGI do."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, cast

from django.http.response import HttpResponseBase
from django.test import AsyncClient, Client

from tests.django_ext.servers import Reply

if TYPE_CHECKING:
    from django.http import HttpResponse


class Ask(Protocol):
    """Sends one request."""

    def __call__(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        **environ: str,
    ) -> Reply:
        """Return what was answered; its headers are in lower case."""
        ...


def ask_wsgi(
    path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, **environ: str
) -> Reply:
    """Ask through a synchronous stack."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    return _reply(client.generic(method, path, headers=headers, **environ))  # type: ignore[arg-type]  # of the environment


def ask_asgi(
    path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, **environ: str
) -> Reply:
    """Ask through an asynchronous stack."""

    async def ask() -> Reply:
        client = AsyncClient(enforce_csrf_checks=True, raise_request_exception=False)
        return _reply(await client.generic(method, path, headers=headers, **environ))  # type: ignore[arg-type]  # of the scope

    return asyncio.run(ask())


def _reply(response: HttpResponseBase) -> Reply:
    headers = {name.lower(): value for name, value in response.items()}
    return Reply(response.status_code, headers, b"".join(cast("HttpResponse", response)))
