"""Names that announce a secret, and the values such names introduce inside free text."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

from holdfast.redact.spans import compiled, one_of

__all__ = ["KEY_ROOTS", "SensitiveKeys"]

FRAGMENTS: Final = (
    "password", "passwd", "passphrase", "passcode", "passkey", "passport", "passwort", "pwd",
    "mot de passe",  # codespell:ignore mot
    "secret", "token", "credential", "authorization", "authorisation",
    "authheader", "auth header", "auth key", "auth code", "auth string", "cookie", "session id",
    "sessid", "session key", "csrf", "xsrf", "api key", "app key", "access key", "account key",
    "private key", "ssh key", "signing key", "encryption key", "decryption key", "master key",
    "shared key", "storage key", "license key", "aes key", "rsa key", "hmac key", "signature",
    "card number", "card num", "card no", "credit card", "debit card", "ccnumber", "ccnum",
    "security code", "verification code", "account number", "bank account", "social security",
    "connection string", "client assertion", "saml response",
)  # fmt: skip
"""What makes a key sensitive wherever it stands in it; a space may be any separator, or none."""

WORDS: Final = frozenset({
    "pass", "auth", "creds", "cred", "sid", "ssn", "dsn", "pan", "pin", "otp", "totp", "cvv",
    "cvc", "cvn", "csc", "iban", "sig", "hmac", "jwt", "bearer",
})  # fmt: skip
"""What makes a key sensitive only as a whole word: `class_name` has an "ssn", `company` a "pan"."""

KEY_ROOTS: Final = (
    "pass", "pwd", "secret", "token", "key", "auth", "cookie", "sess", "sid", "srf", "cred",
    "sig", "card", "cvv", "cvc", "cvn", "csc", "ssn", "social", "ecurit", "verif", "account",
    "iban", "dsn", "string", "pan", "pin", "otp", "jwt", "bearer", "hmac", "ccn", "saml", "assert",
)  # fmt: skip
"""Every built-in sensitive name holds one of these unseparated: no root, no sensitive name."""

# What follows these describes a secret and is none: token_count, cookie_name, TokenExpiredError.
# "id", "hash", "value", "hint", "url" are missing on purpose: they are or carry the secret.
_DESCRIPTIVE_LAST: Final = frozenset({
    "count", "counts", "type", "types", "limit", "limits", "length", "len", "size", "ttl", "age",
    "lifetime", "expiry", "expires", "expired", "name", "names", "policy", "consent", "enabled",
    "disabled", "required", "valid", "invalid", "missing", "mismatch", "denied", "version",
    "algorithm", "alg", "domain", "path", "file", "filename", "dir", "samesite", "secure",
    "httponly", "used", "usage", "budget", "remaining", "provider", "validators", "hashers",
    "strength", "attempts", "retries", "class", "backend", "field", "fields", "format", "origins",
    "error", "errors", "exception", "warning", "failure", "failed", "status", "endpoint",
})  # fmt: skip
_DESCRIPTIVE_FIRST: Final = frozenset({
    "has", "is", "requires", "needs", "uses", "supports", "allow", "allows", "enable", "max",
    "min", "num", "total",
})  # fmt: skip
_MOMENTS: Final = frozenset({
    "expires", "expired", "expire", "created", "updated", "issued", "changed", "used", "revoked",
    "rotated", "set",
})  # fmt: skip
_COUNTED: Final = frozenset({
    "prompt", "completion", "input", "output", "cached", "reasoning", "used", "remaining",
})  # fmt: skip
_HARMLESS: Final = frozenset({"tokenuri", "tokenurl"})
# Longer words that contain a fragment and mean something else.
_LOOKALIKES: Final = r"tokeni[sz]|secretar|passwordless|cookiecutter"
_SEPARATORS: Final = r"[\W_]+"
_WORD: Final = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+"

_CACHED_KEYS: Final = 1024
_CACHED_KEY_LENGTH: Final = 64


class SensitiveKeys:
    """Decides by its name alone whether a value is secret. Thread-safe.

    Args:
        keys: Further sensitive names, found anywhere in a key, separators and case ignored.
        allowed: Names that are never sensitive, compared as a whole, separators and case ignored.

    Raises:
        ValueError: a name has neither letter nor digit.
    """

    __slots__ = ("_allowed", "_cache", "_extra", "hint")

    hint: re.Pattern[str] | None
    """Finds in lower-cased text where one of the further names may stand; None without any."""

    def __init__(self, keys: Iterable[str] = (), allowed: Iterable[str] = ()) -> None:
        self._extra = _compact_all("keys", keys)
        self._allowed = _compact_all("allowed_keys", allowed) | _HARMLESS
        self._cache: dict[str, bool] = {}
        spaced = (r"[\W_]?".join(map(re.escape, name)) for name in sorted(self._extra))
        self.hint = re.compile("|".join(spaced)) if self._extra else None

    def __call__(self, key: str) -> bool:
        """Tell whether a value of this name is to be hidden."""
        known = self._cache.get(key)
        if known is None:
            known = self._decide(key)
            self._remember(key, known=known)
        return known

    def _remember(self, key: str, *, known: bool) -> None:
        # Keys come from callers: neither their number nor their length may cost memory.
        if len(key) > _CACHED_KEY_LENGTH:
            return
        if len(self._cache) >= _CACHED_KEYS:
            self._cache.clear()
        self._cache[key] = known

    def _decide(self, key: str) -> bool:
        compact = _compact(key)
        if compact in self._allowed:
            return False
        if any(name in compact for name in self._extra):
            return True
        words = [word.lower() for word in compiled(_WORD).findall(key)]
        if _describes(words):
            return False
        if not WORDS.isdisjoint(words) and (words[-1] in WORDS or "auth" not in words):
            return True
        unlike = compiled(_LOOKALIKES).sub("", compact)
        return _fragments().search(unlike) is not None


def _compact(key: str) -> str:
    return compiled(_SEPARATORS).sub("", key).lower()


def _compact_all(parameter: str, names: Iterable[str]) -> frozenset[str]:
    compacted = {name: _compact(name) for name in names}
    for name, compact in compacted.items():
        if not compact:
            raise ValueError(f"{parameter} holds {name!r}, which has no letter or digit")
    return frozenset(compacted.values())


def _describes(words: list[str]) -> bool:
    """Tell whether the key names a property of a secret (its count, type, age), not the secret."""
    *before, last = words or [""]
    return bool(before) and (
        last in _DESCRIPTIVE_LAST
        or words[0] in _DESCRIPTIVE_FIRST
        or (last in {"at", "in", "on"} and before[-1] in _MOMENTS)
        or (last == "tokens" and not _COUNTED.isdisjoint(before))
    )


@cache
def _fragments() -> re.Pattern[str]:
    return one_of(fragment.replace(" ", "") for fragment in FRAGMENTS)
