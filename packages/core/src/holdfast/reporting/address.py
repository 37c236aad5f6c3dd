"""What is wrong with an address of HTTP; loads nothing, because settings ask at every start."""

import re
from typing import Final
from urllib.parse import urlsplit

_PRINTABLE: Final = re.compile(r"[!-~]{1,2000}")


def url_objection(url: str) -> str:
    """Return what is wrong with an address, to follow its name, or an empty string; without the address."""
    if not _PRINTABLE.fullmatch(url):
        return "must be at most 2000 printable ASCII characters without spaces"
    try:
        parts = urlsplit(url)
        named = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        named = None
        parts = urlsplit("")
    if not named:
        return "must begin with http:// or https:// and name a host"
    return "must not hold a user or a password; use headers" if "@" in parts.netloc else ""
