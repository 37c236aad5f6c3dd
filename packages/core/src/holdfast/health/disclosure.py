"""Who sees more of a report than its status."""

import hmac
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from holdfast.complaints import complain
from holdfast.once import once

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

    Address: TypeAlias = IPv4Address | IPv6Address
    Network: TypeAlias = IPv4Network | IPv6Network

_MAPPED_BITS: Final = 96
"""Bits before the IPv4 address in an IPv6 address that stands for one."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks."""

    authorization: str = field(default="", repr=False)
    """The header `Authorization`."""
    address: str = ""
    """From where the request reached the application; empty when that is not known."""
    request: object = None
    """The framework's request, for a function of the project's."""
    is_trusted: bool = False
    """Whether the adapter lets everybody see details, as while the application is debugged."""


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
    """`never` lets nobody in, whoever the adapter trusts."""
    token: str = field(default="", repr=False)
    """What callers send as a bearer token; empty means that nobody is let in by one."""
    networks: Iterable[str] = ()
    """Networks whose callers are let in; those of IPv4 hold also what IPv6 makes of its addresses."""
    allow: Callable[[object], object] | None = None
    """Called with the framework's request; lets in by returning True itself.

    Whatever else it returns means no, if it counts as true or not: a redirect to a login is an object
    too, and so is a coroutine. What it raises means no."""

    def allows(self, caller: Caller) -> bool:
        """Tell whether a caller sees details; never raises."""
        if self.details != "authorized":
            return self.details == "always"
        return (
            caller.is_trusted
            or self._by_token(caller)
            or self._by_network(caller)
            or self._by_function(caller)
        )

    def _by_token(self, caller: Caller) -> bool:
        scheme, _, given = caller.authorization.strip().partition(" ")
        if not self.token or scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(_bytes(given.strip()), _bytes(self.token))

    def _by_network(self, caller: Caller) -> bool:
        if not (self._networks and caller.address):
            return False
        from ipaddress import ip_address  # noqa: PLC0415  # few need it

        try:
            address = _unmapped(ip_address(caller.address))
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def _by_function(self, caller: Caller) -> bool:
        if self.allow is None:
            return False
        try:
            said = self.allow(caller.request)
        except Exception as error:  # noqa: BLE001  # whoever cannot be judged is not let in
            _complain(f"raised {type(error).__name__}")
            return False
        if not (said is None or isinstance(said, bool)):
            _complain(f"returned {type(said).__name__}")
        if isinstance(said, Coroutine):
            said.close()  # or Python would warn that nobody awaits it
        return said is True

    @once
    def _networks(self) -> "tuple[Network, ...]":
        if not self.networks:
            return ()
        from ipaddress import ip_network  # noqa: PLC0415  # few need it

        return tuple(_unmapped_network(ip_network(each, strict=False)) for each in self.networks)


def _bytes(text: str) -> bytes:
    """Return bytes that are equal only for equal texts, also for such as no encoding has."""
    return text.encode("utf-8", "surrogatepass")


def _unmapped(address: "Address") -> "Address":
    """Return the IPv4 address for which a socket of both kinds shows one of IPv6."""
    return getattr(address, "ipv4_mapped", None) or address


def _unmapped_network(network: "Network") -> "Network":
    first = _unmapped(network.network_address)
    if first is network.network_address or network.prefixlen < _MAPPED_BITS:
        return network
    from ipaddress import IPv4Network  # noqa: PLC0415  # few need it

    return IPv4Network((int(first), network.prefixlen - _MAPPED_BITS))


@lru_cache(maxsize=32)
def _complain(what: str) -> None:
    """Say once what a function of the project's did, which would otherwise only seem to say no."""
    complain(
        f"the function that says who sees details of health {what}; only True lets a caller in"
    )
