"""The catalogue written down: as JSON for machines, as Markdown for documentation, as lines for a terminal."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from holdfast.catalog.entry import CatalogEntry, entries
from holdfast.catalog.spelling import WORDS
from holdfast.catalog.typescript import to_typescript
from holdfast.codes import Detail
from holdfast.lazytext import DEFAULT, speaking

FORMAT: Final = "holdfast-codes"
VERSION: Final = 1
"""Of the form of what is exported; a reader refuses any other."""

Exporter: TypeAlias = Callable[[Iterable[CatalogEntry]], str]


def export(form: str) -> str:
    """Return all codes in one of the forms, with texts that translate themselves in English.

    Args:
        form: One of `EXPORTERS`.

    Example:
        >>> "TOKEN_EXPIRED" in export("typescript")
        True
    """
    with speaking(DEFAULT):
        return EXPORTERS[form](entries())


def facts(entry: CatalogEntry) -> dict[str, object]:
    """Return what is exported of one code; where it is declared is nobody's business outside."""
    return {
        "code": entry.code,
        "kind": entry.kind.value,
        "status": entry.status,
        "type": entry.type,
        "title": entry.title,
        "transient": entry.transient,
        "category": entry.category,
        "description": entry.description,
        "advice": entry.advice,
        "details": {name: entry.details[name].schema() for name in sorted(entry.details)},
    }


def document(known: Iterable[CatalogEntry]) -> dict[str, object]:
    """Return an export, ready for JSON."""
    codes = [facts(entry) for entry in sorted(known, key=lambda entry: entry.code)]
    return {"format": FORMAT, "version": VERSION, "codes": codes}


def to_json(known: Iterable[CatalogEntry]) -> str:
    """Return the codes as JSON, sorted and in ASCII: what has not changed is written as before."""
    return json.dumps(document(known), indent=2) + "\n"


def to_text(known: Iterable[CatalogEntry]) -> str:
    """Return one line for each code: code, status, type and title."""
    return "".join(
        f"{entry.code:32} {entry.status}  {entry.type:24} {entry.title}\n" for entry in known
    )


def to_markdown(known: Iterable[CatalogEntry]) -> str:
    """Return a section for each code, under a heading of its own.

    Example:
        >>> from holdfast import catalog
        >>> print(to_markdown([catalog.find("TOKEN_EXPIRED")]).partition("- Status")[0])
        ### TOKEN_EXPIRED
        <BLANKLINE>
        **Token expired.** The credentials were valid, and are too old.
        <BLANKLINE>
        Sign in again or refresh the token.
        <BLANKLINE>
        <BLANKLINE>
    """
    return "\n".join("\n".join(_section(entry)) for entry in known)


def _section(entry: CatalogEntry) -> Iterator[str]:
    yield f"### {entry.code}\n"
    yield f"{_line(f'**{entry.title}.** {entry.description}')}\n"
    yield f"{_line(entry.advice)}\n"
    yield f"- Status: {entry.status}"
    yield f"- Kind: `{entry.kind}`"
    yield f"- Type: `{entry.type}`"
    if entry.category:
        yield f"- Category: `{entry.category}`"
    yield f"- Trying again may help: {'yes' if entry.transient else 'no'}"
    for name, shown in shown_details(entry.details):
        yield f"- Detail `{name}`: {shown}"
    yield ""


def shown_details(details: Mapping[str, Detail]) -> Iterator[tuple[str, str]]:
    """Yield the name of each detail, and its type and description in words."""
    for name, detail in sorted(details.items()):
        said = _line(str(detail.description))
        yield name, f"{WORDS.write(detail.schema())}{f'. {said}' if said else ''}"


def _line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


EXPORTERS: Final[Mapping[str, Exporter]] = {
    "text": to_text,
    "json": to_json,
    "typescript": to_typescript,
    "markdown": to_markdown,
}
"""How the codes can be written, by name."""
