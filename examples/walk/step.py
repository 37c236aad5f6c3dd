"""One step of the walk: a request, and everything that it has to bring about."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What the task that a request sends has to bring about, under the id of the request."""

    task: str
    code: str = ""
    """The error's code; empty when it succeeds, and then nothing may be recorded."""
    level: str = "ERROR"
    mail: bool = False
    """Whether a mail has to go out."""
    kills: bool = False
    """Whether it takes its process along, which a worker in a thread cannot show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request and what it has to bring about."""

    title: str
    ask: str
    """Method and path."""
    send: object = None
    """Body: bytes as they are, anything else as JSON; None for no body."""
    request_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    status: int
    code: str = ""
    """The error's code; empty when all is well, and then nothing may be recorded."""
    level: str = "INFO"
    """Level of the one line in the log."""
    recovered: bool = False
    """Whether a handler answers in place of the error, which is recorded all the same."""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Headers of the answer; `*` takes any value."""
    body: Mapping[str, object] = field(default_factory=dict[str, object])
    """Values in a JSON body by dotted path."""
    shows: tuple[str, ...] = ()
    """Texts that have to be in the body."""
    keeps: tuple[str, ...] = ()
    """Texts that are for operators: in the log, but not in the body."""
    hides: tuple[str, ...] = ()
    """Texts that may be neither in the body nor in the log nor in the metrics."""
    behind: Behind | None = None
    """What goes on after the answer."""

    @property
    def method(self) -> str:
        """The request's method."""
        return self.ask.partition(" ")[0]

    @property
    def path(self) -> str:
        """The request's path."""
        return self.ask.partition(" ")[2]

    def request_body(self) -> bytes | None:
        """Return the body as bytes."""
        if self.send is None or isinstance(self.send, bytes):
            return self.send
        return json.dumps(self.send).encode()

    def all_request_headers(self) -> dict[str, str]:
        """Return the headers, with the type of the body where there is one."""
        typed = {} if self.send is None else {"Content-Type": JSON}
        return {**typed, **self.request_headers}
