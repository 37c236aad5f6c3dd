"""Pings to a service that notices when they stop, by the protocol of Healthchecks.io.

    URL/start        the run begins
    URL              it succeeded
    URL/1 … /255     the command ended with that status, was stopped, or a function left with it
    URL/fail         it failed otherwise
    URL/log          nothing was done: the run before has not ended

Each carries the run's id as `rid`, so that start and end are matched, and the last of them the end of
what the command wrote, without secrets.
"""

import random
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPException
from typing import IO, Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from holdfast.clock import Clock, SystemClock
from holdfast.hooks.jobs.outcome import JobReport, Outcome
from holdfast.resilience.backoff import full_jitter

_RETRIED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_ACCEPTED: Final = range(200, 300)
_KEEP_BODY: Final = frozenset({307, 308})
_BACKOFF: Final = 0.5
_LARGEST_STATUS: Final = 255
_MAX_ANSWER: Final = 10_000


class PingError(RuntimeError):
    """A service answered a ping with something other than success; without its address, a secret."""


@dataclass(frozen=True, slots=True)
class Pings:
    """Tells a service of the runs of a job; safe for threads.

    The address may be one of a check by its UUID, by ping key and slug, with `?create=1` too, or of
    any service of the same protocol. It is as secret as a password: whoever knows it can report.

    Raises:
        ValueError: When the address is none of HTTP, or a bound is not above 0.

    Example:
        >>> Pings("https://hc-ping.com/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278").name
        'hc-ping.com'
        >>> Pings("file:///etc/passwd")
        Traceback (most recent call last):
        ...
        ValueError: the address of pings begins with http:// or https:// and names a host
    """

    url: str = field(repr=False)
    timeout: float = 5.0
    """Seconds that one attempt may wait for each answer of the network."""
    attempts: int = 3
    """Attempts of each ping, the first included."""
    patience: float = 20.0
    """Seconds that the end of a run waits for its pings, all attempts together."""
    clock: Clock = field(default_factory=SystemClock, repr=False, compare=False)
    chance: random.Random = field(default_factory=random.Random, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(
                "the address of pings begins with http:// or https:// and names a host"
            )
        for name in ("timeout", "attempts", "patience"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} of pings must be above 0, not {getattr(self, name)}")

    @property
    def name(self) -> str:
        """The service's host."""
        return urlsplit(self.url).hostname or ""

    def started(self, report: JobReport) -> None:
        """Say that a run begins.

        Raises:
            OSError: When the service cannot be reached.
            PingError: When it refuses.
        """
        self._ping("/start", report)

    def finished(self, report: JobReport) -> None:
        """Say how a run ended.

        Raises:
            OSError: When the service cannot be reached.
            PingError: When it refuses.
        """
        self._ping(_ending(report), report)

    def _ping(self, suffix: str, report: JobReport) -> None:
        address = _address(urlsplit(self.url), suffix, report.run_id)
        body = report.output.encode()
        until = self.clock.monotonic() + self.patience
        for attempt in range(1, self.attempts + 1):
            failure = self._attempt(address, body)
            if failure is None:
                return
            # After an outage not all jobs of all hosts come at once.
            pause = full_jitter(attempt - 1, base=_BACKOFF, chance=self.chance)
            last = attempt == self.attempts or self.clock.monotonic() + pause >= until
            if last or not _may_help(failure):
                raise failure
            threading.Event().wait(pause)

    def _attempt(self, address: str, body: bytes) -> Exception | None:
        request = urllib.request.Request(  # noqa: S310  # of HTTP, as was asked when it was made
            address,
            data=body,
            method="POST",
            headers={"User-Agent": "holdfast", "Content-Type": "text/plain; charset=utf-8"},
        )
        try:
            with _opener.open(request, timeout=self.timeout) as answer:
                answer.read(_MAX_ANSWER)
                status: int = answer.status
        except urllib.error.HTTPError as error:
            with error:
                status = error.code
        except (OSError, HTTPException, ValueError) as error:
            return _unreachable(error)
        return None if status in _ACCEPTED else _RefusedError(status)


class _RefusedError(PingError):
    def __init__(self, status: int) -> None:
        super().__init__(f"the service answered with status {status}")
        self.status = status


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows within HTTP only, with the body where the answer asks for that."""

    max_redirections = 3

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],  # noqa: ARG002  # given by the caller
        code: int,
        msg: str,  # noqa: ARG002
        headers: Message,  # noqa: ARG002
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the request to make next, or None for none."""
        if urlsplit(newurl).scheme not in {"http", "https"}:
            return None
        keep = code in _KEEP_BODY
        return urllib.request.Request(  # noqa: S310  # of HTTP, as was just asked
            newurl,
            data=req.data if keep else None,
            headers={"User-Agent": "holdfast"},
            method="POST" if keep else "GET",
        )


# Of its handlers only those of HTTP: no file, no FTP, whatever an address or a redirect says.
_opener = urllib.request.OpenerDirector()
for _handler in (
    urllib.request.ProxyHandler(),
    urllib.request.HTTPHandler(),
    urllib.request.HTTPSHandler(),
    urllib.request.HTTPDefaultErrorHandler(),
    urllib.request.HTTPErrorProcessor(),
    _Redirects(),
):
    _opener.add_handler(_handler)


def _ending(report: JobReport) -> str:
    if report.outcome is Outcome.SUCCEEDED:
        return ""
    if report.outcome is Outcome.SKIPPED:
        return "/log"
    status = report.exit_status or 0
    return f"/{status}" if 0 < status <= _LARGEST_STATUS else "/fail"


def _address(parts: SplitResult, suffix: str, run_id: str) -> str:
    query = [*parse_qsl(parts.query, keep_blank_values=True), ("rid", run_id)]
    path = parts.path.rstrip("/") + suffix
    return urlunsplit((parts.scheme, parts.netloc, path, urlencode(query), ""))


def _unreachable(error: Exception) -> OSError:
    """Return an error that says what happened, and not where."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    said = reason.strerror if isinstance(reason, OSError) else ""
    return OSError(f"the service cannot be reached: {said or type(reason).__name__}")


def _may_help(failure: Exception) -> bool:
    return not isinstance(failure, _RefusedError) or failure.status in _RETRIED
