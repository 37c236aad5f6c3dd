"""What a new catalogue takes away from callers of an old one."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from holdfast.catalog.export import FORMAT, VERSION
from holdfast.codes import is_failure

_FACTS: Final = ("status", "kind", "type")
_TYPES: Final = {"status": int, "kind": str, "type": str, "transient": bool, "details": dict}


class ExportError(ValueError):
    """What was given is no export of codes."""


@dataclass(frozen=True, slots=True)
class Promised:
    """What callers may build on, of one code."""

    status: int
    kind: str
    type: str
    transient: bool
    details: Mapping[str, str]
    """JSON Schema by name of detail, without the description, as sorted JSON."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two catalogues."""

    code: str
    what: str
    """`code`, `status`, `kind`, `type`, `transient`, or `details.` and a name."""
    was: object
    """None: it is new."""
    now: object
    """None: it is gone."""
    breaking: bool

    def __str__(self) -> str:
        thing = {"code": "", "details": f" detail {self.what.removeprefix('details.')}"}.get(
            self.what.partition(".")[0], f" {self.what}"
        )
        if self.was is None:
            return f"{self.code}:{thing} is new"
        if self.now is None:
            return f"{self.code}:{thing} is gone"
        return f"{self.code}:{thing} was {_shown(self.was)} and is {_shown(self.now)}"


def _shown(fact: object) -> str:
    return json.dumps(fact) if isinstance(fact, bool) else str(fact)


def load(text: str | bytes) -> dict[str, Promised]:
    """Return what an export of JSON promises, by code.

    Raises:
        ExportError: When it is no export, or one of another version.

    Example:
        >>> from holdfast.catalog.entry import entries
        >>> from holdfast.catalog.export import to_json
        >>> load(to_json(entries()))["TOKEN_EXPIRED"].status
        401
    """
    try:
        found = cast("object", json.loads(text))
    except (ValueError, RecursionError) as error:
        raise ExportError(f"is not JSON: {error}") from None
    if not isinstance(found, dict) or cast("dict[str, object]", found).get("format") != FORMAT:
        raise ExportError("is not an export of codes, as `holdfast codes --format json` writes it")
    export = cast("dict[str, object]", found)
    if export.get("version") != VERSION:
        raise ExportError(f"is of version {export.get('version')!r}; this one reads {VERSION}")
    codes = export.get("codes")
    if not isinstance(codes, list):
        raise ExportError("holds no list of codes")
    promised: dict[str, Promised] = {}
    for place, entry in enumerate(cast("list[object]", codes)):
        code, facts = _read(entry, place)
        if code in promised:
            raise ExportError(f"holds the code {code} twice")
        promised[code] = facts
    return promised


def _read(entry: object, place: int) -> tuple[str, Promised]:
    known = cast("dict[str, object]", entry) if isinstance(entry, dict) else {}
    code = known.get("code")
    if not isinstance(code, str) or not code:
        raise ExportError(f"entry {place} has no code")
    for name, kind in _TYPES.items():
        if type(known.get(name)) is not kind:
            raise ExportError(f"{code} has no usable {name!r}")
    if not is_failure(known["status"]):
        raise ExportError(f"{code} has the status {known['status']}, which is no error's")
    details = cast("dict[str, object]", known["details"])
    facts = {name: known[name] for name in (*_FACTS, "transient")}
    schemas = {name: _schema(code, name, schema) for name, schema in details.items()}
    return code, Promised(**facts, details=schemas)  # type: ignore[arg-type]  # looked at above


def _schema(code: str, name: str, schema: object) -> str:
    if not isinstance(schema, dict):
        raise ExportError(f"{code} has no usable schema of the detail {name!r}")
    found = cast("dict[str, object]", schema)
    # How it is described may change.
    kept = {key: value for key, value in found.items() if key != "description"}
    return json.dumps(kept, sort_keys=True)


def compare(old: Mapping[str, Promised], new: Mapping[str, Promised]) -> list[Change]:
    """Return what differs, by code; what breaks callers is marked as such.

    What breaks them: a code that is gone, another status, kind or type, a detail that is gone or of
    another type, and an error after which trying again does not help any more.

    Example:
        >>> from dataclasses import replace
        >>> from holdfast.catalog.entry import entries
        >>> from holdfast.catalog.export import to_json
        >>> old = load(to_json(entries()))
        >>> new = old | {"RESOURCE_GONE": replace(old["RESOURCE_GONE"], status=404)}
        >>> [str(change) for change in compare(old, new)]
        ['RESOURCE_GONE: status was 410 and is 404']
    """
    return [change for code in sorted(old.keys() | new.keys()) for change in _of(code, old, new)]


def _of(code: str, old: Mapping[str, Promised], new: Mapping[str, Promised]) -> Iterator[Change]:
    was, now = old.get(code), new.get(code)
    if was is None or now is None:
        yield Change(code, "code", was and was.status, now and now.status, breaking=now is None)
        return
    for name in _FACTS:
        if getattr(was, name) != getattr(now, name):
            yield Change(code, name, getattr(was, name), getattr(now, name), breaking=True)
    if was.transient != now.transient:
        yield Change(code, "transient", was.transient, now.transient, breaking=was.transient)
    for name in sorted(was.details.keys() | now.details.keys()):
        before, after = was.details.get(name), now.details.get(name)
        if before != after:
            yield Change(code, f"details.{name}", before, after, breaking=before is not None)
