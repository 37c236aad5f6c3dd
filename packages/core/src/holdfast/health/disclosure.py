"""Who sees more of a report than its status."""

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from holdfast.once import once

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks."""

    authorization: str = field(default="", repr=False)
    """The header `Authorization`."""
    address: str = ""
    """From where the request reached the application; empty when that is not known."""
    request: object = None
    """The framework's request, for a function of the project's."""
    debugs: bool = False
    """Whether the application is being debugged, which shows everybody everything."""


@dataclass(frozen=True, kw_only=True)
class Disclosure:
    """Decides who sees details; whoever one of its ways lets in does.

    Example:
        >>> Disclosure(networks=("10.0.0.0/8",)).allows(Caller(address="10.1.2.3"))
        True
        >>> Disclosure().allows(Caller(address="10.1.2.3"))
        False
    """

    details: Literal["authorized", "always", "never"] = "authorized"
    token: str = field(default="", repr=False)
    networks: Iterable[str] = ()
    allow: Callable[[object], object] | None = None
    """Called with the framework's request; what it raises means no."""

    def allows(self, caller: Caller) -> bool:
        """Tell whether a caller sees details; never raises."""
        if self.details != "authorized":
            return self.details == "always"
        ways = (self._by_token, self._by_network, self._by_function)
        return caller.debugs or any(way(caller) for way in ways)

    def _by_token(self, caller: Caller) -> bool:
        scheme, _, given = caller.authorization.partition(" ")
        if not self.token or scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(
            given.strip().encode(errors="surrogatepass"), self.token.encode()
        )

    def _by_network(self, caller: Caller) -> bool:
        if not (self._networks and caller.address):
            return False
        from ipaddress import ip_address  # noqa: PLC0415  # few need it

        try:
            address = ip_address(caller.address)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)

    def _by_function(self, caller: Caller) -> bool:
        if self.allow is None:
            return False
        try:
            return self.allow(caller.request) is True
        except Exception:  # noqa: BLE001  # whoever cannot be judged is not let in
            return False

    @once
    def _networks(self) -> "tuple[IPv4Network | IPv6Network, ...]":
        if not self.networks:
            return ()
        from ipaddress import ip_network  # noqa: PLC0415  # few need it

        return tuple(ip_network(each, strict=False) for each in self.networks)
