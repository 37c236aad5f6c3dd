"""Writes gettext catalogues, so that tests need no tool for it."""

import struct
from collections.abc import Mapping
from pathlib import Path

MAGIC = 0x950412DE
HEADER = "Content-Type: text/plain; charset=utf-8\n"


def write_catalogue(
    folder: Path, language: str, texts: Mapping[str, str], domain: str = "shop"
) -> Path:
    """Write `<language>/LC_MESSAGES/<domain>.mo` and return the folder."""
    pairs = sorted({"": HEADER, **texts}.items())
    originals = [original.encode() for original, _ in pairs]
    translations = [translation.encode() for _, translation in pairs]
    start = 7 * 4 + 2 * 8 * len(pairs)
    tables, strings = b"", b""
    for text in (*originals, *translations):
        tables += struct.pack("<II", len(text), start + len(strings))
        strings += text + b"\0"
    head = struct.pack("<7I", MAGIC, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, start)
    file = folder / language / "LC_MESSAGES" / f"{domain}.mo"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(head + tables + strings)
    return folder
