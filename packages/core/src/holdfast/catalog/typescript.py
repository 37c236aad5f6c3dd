"""The catalogue as a module of TypeScript, for clients that tell errors apart by their code."""

import json
from collections.abc import Iterable, Iterator
from typing import Final

from holdfast.catalog.entry import CatalogEntry
from holdfast.catalog.spelling import TYPESCRIPT

_GUARD: Final = """\
/** Tells whether a value is one of the codes. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.prototype.hasOwnProperty.call(ERROR_CODES, value);
}
"""


def to_typescript(entries: Iterable[CatalogEntry]) -> str:
    """Return a module with a union of the codes.

    `ErrorCode` is the union, `ERROR_CODES` holds the facts of each code, `ErrorDetails` the types of
    its details, and `isErrorCode` is the guard.

    Example:
        >>> from holdfast import catalog
        >>> print(to_typescript([catalog.find("TOKEN_EXPIRED")]).splitlines()[2])
        export type ErrorCode = "TOKEN_EXPIRED";
    """
    known = list(entries)
    return "\n".join([*_union(known), *_details(known), *_facts(known), _GUARD])


def _union(entries: list[CatalogEntry]) -> Iterator[str]:
    yield "// Made by `holdfast codes --format typescript`; changes are lost when it is made again.\n"
    codes = [json.dumps(entry.code) for entry in entries] or ["never"]
    if len(codes) == 1:
        yield f"export type ErrorCode = {codes[0]};\n"
        return
    yield "export type ErrorCode ="
    yield "\n".join(f"  | {code}" for code in codes) + ";\n"


def _details(entries: list[CatalogEntry]) -> Iterator[str]:
    yield "/** What `details` may hold, by code. */"
    yield "export interface ErrorDetails {"
    for entry in entries:
        yield _comment(f"{entry.title}. {entry.description} {entry.advice}", "  ")
        if not entry.details:
            yield f"  {entry.code}: Record<string, unknown>;"
            continue
        yield f"  {entry.code}: {{"
        for name, detail in sorted(entry.details.items()):
            if said := str(detail.description):
                yield _comment(said, "    ")
            yield f"    {json.dumps(name)}?: {TYPESCRIPT.write(detail.schema())};"
        yield "  };"
    yield "}\n"


def _facts(entries: list[CatalogEntry]) -> Iterator[str]:
    yield "/** What is known of every error with a code. */"
    yield "export const ERROR_CODES = {"
    for entry in entries:
        facts = {
            "status": entry.status,
            "kind": entry.kind.value,
            "type": entry.type,
            "title": entry.title,
            "transient": entry.transient,
        }
        # ASCII, so that no line break of another script ends a string.
        told = ", ".join(f"{name}: {json.dumps(fact)}" for name, fact in facts.items())
        yield f"  {entry.code}: {{ {told} }},"
    yield "} as const;\n"


def _comment(text: str, indent: str) -> str:
    """Return a comment on one line that nothing in a text can end."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return f"{indent}/** {' '.join(printable.split()).replace('*/', '* /')} */"
