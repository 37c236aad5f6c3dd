"""Health endpoints on django-health-check, over the registry of the project's runtime.

The registry runs the checks with its own timeouts; django-health-check renders what they said.
"""

import asyncio
import os
import re
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Final, TypeAlias, cast

from django.apps import apps
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable, ServiceWarning
from health_check.views import HealthCheckView

from holdfast.health import CheckResult, HealthReport, HealthStatus
from holdfast.health.probes import Probe
from holdfast_django.capture import explain
from holdfast_django.current import project_runtime
from holdfast_django.probes import View, exposed
from holdfast_django.responses import silence

CONTENT_TYPE: Final = "application/health+json"
MAX_THREADS: Final = 4
"""Probes that run at once; more wait for one of these."""
_FORMATS: Final = {
    "application/health+json": "health",
    "application/json": "health",
    "text/plain": "text",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "application/atom+xml": "atom",
    "application/rss+xml": "rss",
    "application/openmetrics-text": "openmetrics",
}
_WEIGHT: Final = re.compile(r"[01](\.\d{0,3})?")
_MAX_ACCEPT: Final = 500

_Renderer: TypeAlias = Callable[..., HttpResponse]


@dataclass(repr=False)
class RegistryCheck(HealthCheck):  # type: ignore[misc]  # ships no annotations
    """One check of our registry, as django-health-check knows checks.

    Without a result it asks the registry, as the command `health_check --no-http` does.
    """

    name: str
    result: CheckResult | None = field(default=None, repr=False)

    async def run(self) -> None:
        """Raise when the check did not pass."""
        result = self.result or (await _run_checks()).get(self.name)
        if result is None or result.status is HealthStatus.FAIL:
            raise ServiceUnavailable(result.output if result else "not registered")
        if result.status is HealthStatus.WARN:
            raise ServiceWarning(result.output)

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the metrics."""
        return {"check": self.name}

    def __repr__(self) -> str:
        return self.name


class HealthView(HealthCheckView):  # type: ignore[misc]  # ships no annotations
    """What all checks say, as health+json or in a format of django-health-check.

    A failing check answers 503, a warning 200.
    """

    checks = ()

    async def get(self, request: HttpRequest, *_: object, **__: object) -> HttpResponse:
        """Run the checks and say how they are."""
        explain(request)  # a 503 is an answer here
        with self.get_executor() as executor:
            registry = project_runtime().health
            loop = asyncio.get_running_loop()
            self.report = await loop.run_in_executor(executor, registry.get_health_status)
            found = await asyncio.gather(*(one.get_result(executor) for one in self.get_checks()))
        self.results = list(found)
        return silence(self._render(request))

    def get_checks(self) -> Generator[HealthCheck, None, None]:
        """Yield the registered checks, with what they said when they have run."""
        report: HealthReport | None = getattr(self, "report", None)
        if report is not None:
            yield from (RegistryCheck(result.name, result) for result in report.results)
        else:
            yield from (RegistryCheck(name) for name in project_runtime().health.run_all_checks())

    def get_executor(self) -> AbstractContextManager[Executor | None]:
        """Return the executor that all probes of this process share.

        One for each request would wait at its end for checks that hang, and stall the event loop.
        """
        return nullcontext(_threads.executor())

    def _render(self, request: HttpRequest) -> HttpResponse:
        asked = request.GET.get("format") or _format_of(request.META.get("HTTP_ACCEPT", ""))
        status = 503 if self.report.status is HealthStatus.FAIL else 200
        if asked == "html" and apps.is_installed("health_check"):  # which has the template
            page: HttpResponse = self.render_to_response(self.get_context_data(), status=status)
            return page
        if asked in {"json", "text"}:
            return cast("_Renderer", getattr(self, f"render_to_response_{asked}"))(status)
        if asked in {"atom", "rss", "openmetrics"}:  # whose readers expect 200
            return cast("_Renderer", getattr(self, f"render_to_response_{asked}"))()
        answer = project_runtime().probes.answer(Probe())
        return HttpResponse(
            answer.body,
            status=status,
            content_type=answer.content_type,
            headers=dict(answer.headers),
        )


@require_safe
def _live(_: HttpRequest) -> HttpResponse:
    """Say that the process answers; touches nothing else."""
    return HttpResponse(
        b'{"status":"pass"}', content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"}
    )


health: View = exposed(cast("View", HealthView.as_view()))
"""What all checks say."""
ready: View = exposed(cast("View", HealthView.as_view()))
"""Whether this instance can serve; for now, the same checks."""
live: View = exposed(_live)
"""Whether the process answers."""


class _Threads:
    """The executor of this process; a forked child makes its own."""

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None
        self._process = 0

    def executor(self) -> Executor:
        if self._executor is None or self._process != os.getpid():
            self._executor = ThreadPoolExecutor(MAX_THREADS, "holdfast-health")
            self._process = os.getpid()
        return self._executor


_threads = _Threads()


async def _run_checks() -> Mapping[str, CheckResult]:
    registry = project_runtime().health
    return await asyncio.get_running_loop().run_in_executor(
        _threads.executor(), registry.run_all_checks
    )


def _format_of(accept: str) -> str:
    """Return the wanted format; lenient, because probes send what no grammar allows."""
    best, best_weight = "health", 0.0
    for part in accept[:_MAX_ACCEPT].split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        weight = float(quality) if _WEIGHT.fullmatch(quality) else 0.0
        if weight > best_weight and (media in _FORMATS or media == "*/*"):
            best, best_weight = _FORMATS.get(media, "health"), weight
    return best
