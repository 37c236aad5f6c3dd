"""How late the event loop of a server is, measured within it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope

PATH: Final = "/lag"
_TICK: Final = 0.02


class Lag:
    """An ASGI application around another, which tells at `/lag` how late its loop was at worst.

    The clock ticks from the first request on.
    """

    def __init__(self, application: Callable[..., Awaitable[Any]]) -> None:
        self._application = application
        self._task: asyncio.Task[None] | None = None
        self._worst = 0.0

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Answer, or let the application."""
        if self._task is None:
            self._task = asyncio.create_task(self._tick())
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._application(scope, receive, send)
            return
        body = json.dumps({"worst": self._worst}).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send(
            {"type": "http.response.start", "status": 200, "headers": headers, "trailers": False}
        )
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(_TICK)
            self._worst = max(self._worst, loop.time() - before - _TICK)
