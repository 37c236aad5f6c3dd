"""One application behind one server, under the load, while things go wrong."""

import asyncio
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.probes import trouble
from benchmarks.probes.load import Answered, get, load
from benchmarks.probes.proxy import Link, Proxy, proxied
from benchmarks.probes.sampling import Sample, sampled
from benchmarks.probes.server import Server, serving

LIVE: Final = "/health/live"
READY: Final = "/health/ready"
PLAN: Final = (
    (0.0, Link.UP),
    (0.2, Link.STALLED),
    (0.65, Link.REFUSED),
    (0.85, Link.UP),
)
"""How the way to the database is, from which share of the time on."""
POSTGRESQL: Final = 5432


@dataclass(frozen=True, slots=True)
class Case:
    """What is probed."""

    server: str
    framework: str
    library: str
    in_background: bool = False
    """Whether checks are looked at in the background; else probes look."""

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        parts = (self.framework, self.server, self.library, "background" * self.in_background)
        return "-".join(filter(None, parts))

    @property
    def empty(self) -> str:
        """Path of the view that does nothing: as fast as this server and framework are."""
        return "/empty-async" if self.server == "uvicorn" else "/empty"

    @property
    def application(self) -> str:
        """What the server is told to serve."""
        if self.framework == "flask":
            return "benchmarks.probes.flask_ours:app"
        name = "ours" if self.library == "holdfast" else "peer"
        return f"benchmarks.probes.django_{name}:{'asgi' if self.server == 'uvicorn' else 'wsgi'}"


CASES: Final = (
    *(
        Case(server, "django", "holdfast", in_background)
        for server in ("sync", "gthread", "uvicorn")
        for in_background in (False, True)
    ),
    Case("sync", "flask", "holdfast"),
    Case("gthread", "flask", "holdfast"),
    *(Case(server, "django", "dhc") for server in ("sync", "gthread", "uvicorn")),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen."""

    case: Case
    seconds: float
    calm: list[Answered]
    """Before anything was wrong; readiness was not asked."""
    answers: list[Answered]
    samples: list[Sample] = field(default_factory=list[Sample])
    lag: float | None = None
    """Seconds that the server's event loop was late at worst, where it has one."""
    replaced: int = 0
    """Workers that gunicorn gave up and replaced."""


async def run(case: Case, seconds: float, calm: float, folder: Path) -> Outcome:
    """Serve, probe and sample; then end what was started."""
    chance = random.Random(case.name)  # noqa: S311  # an order of requests
    async with proxied(POSTGRESQL) as proxy:
        environment = {trouble.PORT: str(proxy.port)}
        if case.in_background:
            environment[trouble.BACKGROUND] = "1"
        output = folder / f"{case.name}.txt"
        async with serving(case.server, case.application, output, environment) as server:
            await load(
                server.port, (LIVE, case.empty), 1.0, chance
            )  # everything is imported by then
            before = await load(server.port, (LIVE, case.empty), calm, chance)
            begun = server.workers_begun()
            async with sampled(server, proxy) as samples:
                cutting = asyncio.create_task(_cut(proxy, seconds))
                answers = await load(server.port, (LIVE, READY, case.empty), seconds, chance)
                await cutting
            lag = await _lag(server) if case.server == "uvicorn" else None
            replaced = server.workers_begun() - begun
        return Outcome(case, seconds, before, answers, samples, lag, replaced)


async def _cut(proxy: Proxy, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    for share, link in PLAN:
        await asyncio.sleep(start + share * seconds - loop.time())
        await proxy.become(link)


async def _lag(server: Server) -> float:
    said = await get(server.port, "/lag")
    return float(json.loads(said.partition(b"\r\n\r\n")[2])["worst"])
