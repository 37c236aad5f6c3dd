"""Signatures of what is stored, each good for one key."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

_LENGTH: Final = hashlib.sha256().digest_size


def sign(data: bytes, key: str, secrets: Sequence[bytes]) -> bytes:
    """Return data with a signature of the first secret before it; as it is without secrets."""
    return _signature(secrets[0], data, key) + data if secrets else data


def signed(data: bytes, key: str, secrets: Sequence[bytes]) -> bytes:
    """Return what was signed for a key by one of the secrets; the data as it is without secrets.

    Raises:
        ValueError: None of them has signed it, for this key.
    """
    if not secrets:
        return data
    given, rest = data[:_LENGTH], data[_LENGTH:]
    for secret in secrets:
        if hmac.compare_digest(given, _signature(secret, rest, key)):
            return rest
    raise ValueError("the signature is wrong")


def _signature(secret: bytes, data: bytes, key: str) -> bytes:
    # The length keeps the end of a key from passing for the beginning of data.
    named = key.encode("utf-8", "surrogatepass")
    return hmac.digest(secret, len(named).to_bytes(4, "big") + named + data, "sha256")
