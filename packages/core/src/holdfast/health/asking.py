"""Asks a running health endpoint, as the probe of a container does that has no other program for it."""

import json
import threading
from concurrent.futures import Future
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import SplitResult, urlsplit

from holdfast.health.check import LONGEST
from holdfast.health.inspection import TEXT, UNKNOWN, exit_status
from holdfast.health.rendering.formats import FORMATS
from holdfast.health.rendering.printable import printable
from holdfast.health.status import HealthStatus
from holdfast.redact import Redactor
from holdfast.resilience.inspection import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT: Final = 5.0
"""Seconds."""
MAX_BODY: Final = 1_000_000
"""Bytes of an answer that are read."""
_OK: Final = range(200, 300)
_SERVER_ERROR: Final = 500


def ask(
    url: str,
    group: str = "",
    *,
    form: str = TEXT,
    fail_on: str = HealthStatus.FAIL.value,
    timeout: float = TIMEOUT,
) -> Answer:
    """Ask an endpoint over HTTP, directly: proxies of the environment and redirects are left alone.

    An answer of 5xx fails. One of 2xx says by itself how it is, as ours do, or passes.

    Args:
        url: Address of the report, `http` or `https`; that of another program will do.
        group: Appended to its path; empty: nothing.
        form: One of `inspection.FORMS`, asked for by `Accept`.
        fail_on: One of `inspection.FAIL_ON`.
        timeout: Seconds for all of it, above 0 and up to a day.

    Returns:
        Exit status 0 when it is well, 1 when not, 2 when it cannot be asked, or answers anything else.

    Raises:
        ValueError: When the address is none, or the time makes no sense.
    """
    parts = _parts(url, group)
    if not 0 < timeout <= LONGEST:
        raise ValueError(
            f"--timeout must be above 0 seconds and at most {LONGEST:g}, not {timeout:g}"
        )
    shown = printable(Redactor().text(parts.geturl()))
    try:
        status, body = _fetched(parts, FORMATS[form].content_type, timeout)
    except TimeoutError:
        return Answer(f"{shown} did not answer in {timeout:g} s", UNKNOWN)
    except (OSError, HTTPException, ValueError) as error:
        said = printable(str(error) or type(error).__name__)
        return Answer(f"{shown} cannot be asked: {said}", UNKNOWN)
    found = _status(status, body)
    if found is None:
        return Answer(f"{shown} answers {status}: no health endpoint is there", UNKNOWN)
    said = printable(body.decode("utf-8", "replace"), spared="\n\t").strip()
    return Answer(said or found.value, exit_status(found, fail_on))


def _parts(url: str, group: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise ValueError("--url takes an address such as http://127.0.0.1:8000/health")
    _ = parts.port  # complains when it is no number
    path = f"{parts.path.rstrip('/')}/{group}" if group else parts.path
    return parts._replace(path=path or "/", fragment="")


def _fetched(parts: SplitResult, accept: str, timeout: float) -> tuple[int, bytes]:
    """Return status and body, on a thread that may be left behind: names may take for ever to look up."""
    future: Future[tuple[int, bytes]] = Future()

    def fetch() -> None:
        try:
            future.set_result(_exchange(parts, accept, timeout))
        except BaseException as error:  # noqa: BLE001  # raised where it is waited for
            future.set_exception(error)

    threading.Thread(target=fetch, name="holdfast-health-asking", daemon=True).start()
    return future.result(timeout)


def _exchange(parts: SplitResult, accept: str, timeout: float) -> tuple[int, bytes]:
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(cast("str", parts.hostname), parts.port, timeout=timeout)
    try:
        target = parts._replace(scheme="", netloc="").geturl()
        connection.request("GET", target, headers={"Accept": accept, "User-Agent": "holdfast"})
        answer = connection.getresponse()
        return answer.status, answer.read(MAX_BODY)
    finally:
        connection.close()


def _status(status: int, body: bytes) -> HealthStatus | None:
    """Return how it is; None when the answer is of no health endpoint."""
    if status in _OK:
        return _said(body)
    return HealthStatus.FAIL if status >= _SERVER_ERROR else None


def _said(body: bytes) -> HealthStatus:
    """Return what an answer says itself, as JSON or in its first line; pass when it does not."""
    word: object = body.partition(b"\n")[0].decode("utf-8", "replace").strip()
    with suppress(ValueError, RecursionError):
        told: object = json.loads(body)
        word = cast("Mapping[str, object]", told).get("status") if isinstance(told, dict) else word
    return next((status for status in HealthStatus if status.value == word), HealthStatus.PASS)
