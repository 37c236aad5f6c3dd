"""Services beside the shop, reached over HTTP: the one edge where their failures become our errors."""

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import cast
from urllib.parse import urlsplit

from holdfast import CommunicationError, DeadlineExceededError, DependencyError, current_trace_id

OK = 200


@dataclass(frozen=True, slots=True)
class Reply:
    """What a service answered."""

    status: int
    data: dict[str, object]
    """The JSON object in the body; empty when there is none."""
    retry_after: float | None = None
    """Seconds it asks to be left alone."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A service that is reached over HTTP; it gets the id of the work at hand."""

    address: str
    """Such as `http://127.0.0.1:9000`."""
    timeout: float = 0.5
    """Seconds to connect, and again to wait for each piece of the answer."""
    name: str = "The service"
    """As operators call it."""

    def ask(self, method: str, target: str, data: object = None) -> Reply:
        """Send a request and return the answer, whatever it is.

        Raises:
            CommunicationError: When the service cannot be reached.
            DeadlineExceededError: When it takes too long; what it has done is not known.
        """
        try:
            return self._exchange(method, target, data)
        except TimeoutError as error:
            raise DeadlineExceededError(
                f"{self.name} gave no answer within {self.timeout:g} s"
            ) from error
        except (OSError, HTTPException) as error:
            raise CommunicationError(f"{self.name} cannot be reached") from error

    def failed(self, reply: Reply) -> DependencyError:
        """Return the error that an answer stands for which is not one we can use."""
        return DependencyError(
            f"{self.name} answered with {reply.status}",
            upstream_status=reply.status,
            upstream_code=str(reply.data.get("code", "")),
            retry_after=reply.retry_after,
        )

    def _exchange(self, method: str, target: str, data: object) -> Reply:
        address = urlsplit(self.address)
        connection = HTTPConnection(
            address.hostname or "", address.port or 80, timeout=self.timeout
        )
        body = None if data is None else json.dumps(data)
        headers = {"Content-Type": "application/json", "X-Request-ID": current_trace_id()}
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            wait = answer.headers.get("Retry-After", "")
            after = float(wait) if wait.isdecimal() else None
            return Reply(answer.status, _object(answer.read()), after)
        finally:
            connection.close()


def _object(body: bytes) -> dict[str, object]:
    try:
        found: object = json.loads(body)
    except ValueError:
        return {}
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}
