"""Entries as bytes: a header that says what they are, then the value.

The layout: `hfc`, the version, and then, behind the signature if the codec
has secrets, its mark, flags, three points in time
(created, fresh until, stale until; Unix seconds), the stamps of tags as JSON after their length, and
the value, compressed if a flag says so.
"""

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from holdfast.resilience.cache.codecs import Codec
from holdfast.resilience.cache.entry import Entry
from holdfast.resilience.cache.signing import sign, signed

MAX_VALUE: Final = 64 * 1024 * 1024
"""Bytes that a value may have when it is unpacked."""
_MAGIC: Final = b"hfc\x01"
"""The last byte is the version of the layout: others are not read."""
_HEADER: Final = struct.Struct(">BBdddI")
_COMPRESSED: Final = 1
_LEVEL: Final = 1
"""Most of what zlib saves for a tenth of its time."""


@dataclass(frozen=True, slots=True)
class Packing:
    """How the entries of one cache are written.

    Args:
        codec: Writes values; None leaves entries as they are, for a store that keeps objects.
        compress_above: Bytes of a value above which it is compressed; None: never.
    """

    codec: Codec | None
    compress_above: int | None = None

    def pack(self, entry: Entry, key: str) -> Entry | bytes:
        """Return an entry as it is stored under a key.

        Raises:
            Exception: Whatever the codec raises for a value that it cannot write.
        """
        codec = self.codec
        if codec is None:
            return entry
        value, flags = codec.dumps(entry.value), 0
        if self.compress_above is not None and len(value) > self.compress_above:
            value, flags = zlib.compress(value, _LEVEL), _COMPRESSED
        stamps = json.dumps(entry.stamps).encode() if entry.stamps else b""
        times = entry.created, entry.fresh_until, entry.stale_until
        header = _HEADER.pack(codec.mark, flags, *times, len(stamps))
        return _MAGIC + sign(header + stamps + value, key, codec.secrets)

    def unpack(self, stored: object, key: str) -> Entry:
        """Return the entry that was stored under a key.

        Raises:
            Exception: There is none in it, or one of another version, codec or key, or a broken one.
        """
        codec = self.codec
        if codec is None:
            if isinstance(stored, Entry):
                return stored
            raise TypeError("no entry")
        if not isinstance(stored, bytes) or not stored.startswith(_MAGIC):
            raise ValueError("no entry of this version")
        told = signed(stored[len(_MAGIC) :], key, codec.secrets)
        mark, flags, created, fresh_until, stale_until, length = _HEADER.unpack_from(told)
        if mark != codec.mark:
            raise ValueError("an entry of another codec")
        begin = _HEADER.size + length
        value = _decompressed(told[begin:]) if flags & _COMPRESSED else told[begin:]
        stamps = _stamps(told[_HEADER.size : begin]) if length else None
        return Entry(codec.loads(value), created, fresh_until, stale_until, stamps)


def _decompressed(data: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    value = unpacking.decompress(data, MAX_VALUE)
    if not unpacking.eof:
        raise ValueError("the value is cut off, or too large")
    return value


def _stamps(data: bytes) -> Mapping[str, str]:
    stamps: object = json.loads(data)
    if not isinstance(stamps, dict):
        raise TypeError("the stamps of tags are no object")
    return cast("Mapping[str, str]", stamps)
