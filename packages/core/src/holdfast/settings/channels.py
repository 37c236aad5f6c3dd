"""Settings of what tells people: the channels of alerts, and the reporter `webhook`."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Annotated, Final, Literal, TypeAlias

from holdfast.reporting.address import url_objection
from holdfast.reporting.channels.making import LINKED, SHIPPED_CHANNELS
from holdfast.settings.types import PATH
from holdfast.strict import Items, Matches, Range, Section, nearest

_POSTING: Final = frozenset({"url", "timeout"})
_MAIL: Final = frozenset({"host", "port", "security", "user", "password", "sender", "to"})
_TAKES: Final[Mapping[str, frozenset[str]]] = {
    "log": frozenset(),
    "sentry": frozenset(),
    "slack": _POSTING,
    "teams": _POSTING,
    "webhook": _POSTING | {"headers", "secret"},
    "email": _MAIL | {"timeout"},
}
"""What each kind of channel takes beside `KIND` and `LINK`; one's own kinds take everything."""
_ALL: Final = _MAIL | _TAKES["webhook"]
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE: Final = re.compile(r"[ -~]{0,2000}")
_OWN: Final = frozenset({"host", "content-length", "transfer-encoding", "connection"})
"""Headers that belong to the request itself: another value breaks it, or sends it elsewhere."""
_MARKED: Final = "whsec_"
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")

ChannelKind: TypeAlias = Annotated[
    str,
    Matches(
        rf"[a-z][a-z0-9_-]*|{PATH}",
        "a kind of channel such as 'email', or a dotted path such as 'shop.alerts:Pager'",
    ),
]
"""A channel that ships, by name, or one's own, by dotted path."""

Secret: TypeAlias = Annotated[
    str, Matches(r"[^\x00-\x1f\x7f]{0,2000}", "text of at most 2000 characters on one line")
]

_PART: Final = r"[^\s@<>,;:\"\\()\[\]\x00-\x1f\x7f]"
_ADDRESS: Final = rf"{_PART}{{1,64}}@{_PART}{{1,190}}"
_FORM: Final = "an e-mail address such as 'ops@example.com'"
Address: TypeAlias = Annotated[str, Matches(_ADDRESS, _FORM)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings(Section):
    """One channel of alerts; which of these it takes depends on its kind."""

    kind: ChannelKind
    """`log`, `email`, `webhook`, `slack`, `teams`, `sentry`, or a dotted path of one's own, which
    is called with the channel's name, these settings, and the runtime."""

    url: str = field(default="", repr=False)
    """Address of `webhook`, `slack` and `teams`: as secret as a password."""

    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False, hash=False)
    """Headers that `webhook` sends, such as one for authorization. Default: none."""

    secret: Secret = field(default="", repr=False)
    """What `webhook` signs its bodies with, as Standard Webhooks has it: `whsec_` and base64, or any
    text. Default: they are not signed."""

    timeout: Annotated[float, Range(0.1, 60)] = 5.0
    """Seconds that sending one message may take, 0.1 to 60."""

    host: Annotated[str, Matches(r"[A-Za-z0-9.:_-]{0,253}", "the name or address of a host")] = ""
    """Server of `email`. Default: none; in Django the mail of the project, by its `EMAIL_*`."""

    port: Annotated[int, Range(1, 65535)] | None = None
    """Port of `email`. Default: 587, 465 or 25, by `security`."""

    security: Literal["starttls", "tls", "none"] = "starttls"
    """How mail is encrypted. `tls`: from the first byte."""

    user: Secret = field(default="", repr=False)
    """Name that `email` logs in with. Default: it does not."""

    password: Secret = field(default="", repr=False)
    """Password that `email` logs in with."""

    sender: Annotated[str, Matches(rf"({_ADDRESS})?", _FORM)] = ""
    """Address that mail comes from. Default: in Django, `SERVER_EMAIL`."""

    to: Annotated[tuple[Address, ...], Items(most=50)] = ()
    """Addresses that mail goes to, at most 50. Default: in Django, those of `ADMINS`."""

    link: str = ""
    """Address that a message refers to, with `{id}`, `{rule}`, `{key}`, `{code}`, `{trace_id}`,
    `{record_id}` or `{fingerprint}` in it. Default: none."""

    def objections(self) -> Iterable[tuple[str, str]]:
        """Yield field and message for each broken rule between several fields; none shows a value."""
        if ":" not in self.kind and "." not in self.kind and self.kind not in _TAKES:
            near = nearest(self.kind, _TAKES)
            hint = f"; did you mean {near!r}?" if near else ""
            yield "kind", f"must be one of {', '.join(SHIPPED_CHANNELS)}, or a dotted path{hint}"
        yield from self._stray()
        yield from self._missing()
        yield from _bad_address(self.url, "url")
        yield from _bad_address(self.link, "link")
        yield from _bad_names(self.link)
        yield from _bad_headers(self.headers)
        yield from _bad_secret(self.secret)
        if self.password and self.security == "none":
            yield "security", "must not be 'none' where a password is sent"

    def _stray(self) -> Iterable[tuple[str, str]]:
        takes = _TAKES.get(self.kind, _ALL) | {"kind", "link"}
        for known in fields(self):
            standing = _default(known.default, known.default_factory)
            if known.name not in takes and getattr(self, known.name) != standing:
                yield known.name, f"is not for a channel of kind {self.kind!r}"

    def _missing(self) -> Iterable[tuple[str, str]]:
        if "url" in _TAKES.get(self.kind, ()) and not self.url:
            yield "url", "is required"
        if self.kind == "email" and self.host:
            for name in ("sender", "to"):
                if not getattr(self, name):
                    yield name, "is required beside a host"
        if bool(self.user) != bool(self.password):
            missing, given = ("password", "user") if self.user else ("user", "password")
            yield missing, f"is required beside a {given}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings(Section):
    """Where the reporter `webhook` posts events."""

    url: str = field(default="", repr=False)
    """Its address: as secret as a password. Required when `webhook` is among the reporters."""

    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False, hash=False)
    """Headers that it sends. Default: none."""

    secret: Secret = field(default="", repr=False)
    """What it signs its bodies with, as Standard Webhooks has it. Default: they are not signed."""

    timeout: Annotated[float, Range(0.1, 60)] = 5.0
    """Seconds that one event may take, 0.1 to 60."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "WARNING"
    """The least severity that is posted."""

    def objections(self) -> Iterable[tuple[str, str]]:
        """Yield field and message for what cannot be sent; none shows a value."""
        yield from _bad_address(self.url, "url")
        yield from _bad_headers(self.headers)
        yield from _bad_secret(self.secret)


def _bad_address(url: str, name: str) -> Iterable[tuple[str, str]]:
    plain = re.sub(r"\{[a-z_]{1,20}\}", "x", url)
    objection = url_objection(plain) if url else ""
    if objection:
        yield name, objection


def _bad_names(link: str) -> Iterable[tuple[str, str]]:
    for name in re.findall(r"\{([a-z_]{1,20})\}", link):
        if name not in LINKED:
            near = nearest(name, LINKED)
            hint = f"; did you mean '{{{near}}}'?" if near else ""
            yield "link", f"must not name '{{{name}}}', which nothing stands for{hint}"


def _bad_secret(secret: str) -> Iterable[tuple[str, str]]:
    """Yield what no library of Standard Webhooks would take for the key that we take it for."""
    key = secret.removeprefix(_MARKED)
    if key != secret and (not key or not _BASE64.fullmatch(key)):
        yield "secret", f"must have bytes in base64 behind {_MARKED!r}"


def _bad_headers(headers: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    if any(not _HEADER.fullmatch(name) for name in headers):
        yield "headers", "must have names of letters, digits and dashes"
    for name in headers:
        if name.lower() in _OWN:
            yield "headers", f"must not name {name!r}, which the request sets itself"
    if any(not _VALUE.fullmatch(value) for value in headers.values()):
        yield "headers", "must have values of at most 2000 printable ASCII characters"


def _default(default: object, factory: object) -> object:
    return default if default is not MISSING else (factory() if callable(factory) else None)
