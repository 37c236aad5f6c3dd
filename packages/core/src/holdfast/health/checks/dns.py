"""Whether a name leads to addresses."""

import socket
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from ipaddress import ip_address
from typing import Final, Literal

from holdfast.health.check import Finding
from holdfast.health.checks.connection import check_host
from holdfast.health.checks.verdict import failed

_FAMILIES: Final = {
    "any": socket.AF_UNSPEC,
    "ipv4": socket.AF_INET,
    "ipv6": socket.AF_INET6,
}
_MAX_TOLD: Final = 20


@dataclass(frozen=True, slots=True)
class DnsCheck:
    """Fails while a name has no address, or not those it should have.

    The system's resolver is asked, which takes no time limit: that of the check's registration bounds
    the answer, while the thread waits on.

    Raises:
        ValueError: When an option makes no sense.

    Example:
        >>> DnsCheck("localhost", expect=("127.0.0.1",), family="ipv4")()
        {'addresses': ['127.0.0.1']}
    """

    name: str
    _: KW_ONLY
    family: Literal["any", "ipv4", "ipv6"] = "any"
    """Which addresses are asked for."""
    expect: Sequence[str] = ()
    """Addresses that have to be among those found. Default: any will do."""

    def __post_init__(self) -> None:
        check_host(self.name, "name")
        if self.family not in _FAMILIES:
            raise ValueError(f"family must be one of {', '.join(_FAMILIES)}, not {self.family!r}")
        if isinstance(self.expect, str):
            raise ValueError(f"expect must be several addresses, such as ({self.expect!r},)")  # noqa: TRY004
        for address in self.expect:
            _plain(address)

    def __call__(self) -> dict[str, object] | Finding:
        """Look the name up.

        Raises:
            OSError: When it has no address.
        """
        family = _FAMILIES[self.family]
        answers = socket.getaddrinfo(self.name, None, family, socket.SOCK_STREAM)
        found = sorted({_plain(str(answer[4][0])) for answer in answers})
        missing = sorted({_plain(address) for address in self.expect} - set(found))
        if missing:
            said = "does not lead to every address that is expected"
            return failed(said, addresses=found[:_MAX_TOLD], missing=missing[:_MAX_TOLD])
        return {"addresses": found[:_MAX_TOLD]}


def _plain(address: str) -> str:
    """Return an address in its one spelling, without the link it is reached by."""
    return str(ip_address(address.partition("%")[0]))
