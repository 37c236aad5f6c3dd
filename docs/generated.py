"""The parts of the documentation that are made from the source: tables of codes, kinds and settings.

`python -m docs.generated` prints the table of settings for README.md.
"""

import ast
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from holdfast import ErrorKind, Settings, catalog
from holdfast.catalog.export import to_markdown

if TYPE_CHECKING:
    from tests.paths.row import Row


def codes() -> str:
    """Return a table of the codes that ship with the suite, each with a link to its section."""
    rows = [
        (
            f"[`{entry.code}`](shipped-codes.md#{entry.code.lower()})",
            str(entry.status),
            f"`{entry.type}`",
            entry.title,
            "yes" if entry.transient else "no",
            entry.description,
        )
        for entry in _shipped()
    ]
    return table(("Code", "Status", "Type", "Title", "Try again", "When"), rows)


def shipped_codes() -> str:
    """Return a section for each code that ships with the suite."""
    return to_markdown(_shipped())


def _shipped() -> list[catalog.CatalogEntry]:
    return [entry for entry in catalog.entries() if entry.source.startswith("holdfast.")]


def kinds() -> str:
    """Return a table of the kinds, the only place where statuses are decided."""
    rows = [
        (
            f"`{kind}`",
            str(kind.status),
            f"`{kind.error_class}`",
            kind.fault.value.lower(),
            "yes" if kind.transient else "no",
            kind.severity.name,
        )
        for kind in ErrorKind
    ]
    return table(("Kind", "Status", "Type", "Fault", "Transient", "Severity"), rows)


def settings(cls: type = Settings, *, own: bool = False) -> str:
    """Return a table of what may be set.

    Args:
        cls: The dataclass of settings.
        own: Leave out what the core has as well.
    """
    rows = list(_settings(cls))
    core = {row[0] for row in _settings(Settings)} if own else ()
    return table(
        ("Setting", "Default", "What it does"), [row for row in rows if row[0] not in core]
    )


def coverage(name: str) -> str:
    """Return a table of the errors of one part of the matrix, and of what each leaves."""
    rows = cast("Iterable[Row]", import_module(f"tests.paths.rows.{name}_rows").ROWS)
    return table(
        ("What happens", "Raised in", "Seen by", "Origin", "Code"),
        [
            (
                _cell(row.event),
                ", ".join(row.hosts),
                _cell(row.seen_by),
                *(
                    (f"`{row.boundary}`", f"`{row.code}`")
                    if row.records
                    else ("none", _cell(row.why))
                ),
            )
            for row in rows
        ],
    )


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [titles, tuple("---" for _ in titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _settings(cls: type, prefix: str = "") -> Iterator[tuple[str, ...]]:
    said = _attribute_docstrings(cls)
    for field in fields(cls):
        name, default = f"{prefix}{field.name.upper()}", _default(field)
        if is_dataclass(default):
            yield from _settings(type(default), f"{name}.")
        else:
            yield f"`{name}`", f"`{_shown(default)}`", said[field.name].replace("|", r"\|")


def _default(field: "Field[object]") -> object:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def _shown(default: object) -> str:
    if isinstance(default, tuple | frozenset):
        return str(list(cast("tuple[object, ...]", default))).replace("'", '"')
    return f'"{default}"' if isinstance(default, str) else str(default)


def _attribute_docstrings(cls: type) -> dict[str, str]:
    """Return the text that stands under each field, those of its parents first."""
    found: dict[str, str] = {}
    for parent in reversed(cls.__mro__):
        if not is_dataclass(parent):
            continue
        (definition,) = ast.parse(inspect.getsource(parent)).body
        assert isinstance(definition, ast.ClassDef)  # noqa: S101  # the source of a class
        for field, below in zip(definition.body, definition.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                found[field.target.id] = _text(below)
    return found


def _text(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return " ".join(str(node.value.value).split())
    return ""


if __name__ == "__main__":
    print(settings())  # noqa: T201  # a script
