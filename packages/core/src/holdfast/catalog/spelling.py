"""Types of details, written for readers of a language."""

import json
from dataclasses import dataclass
from typing import Final, cast

from holdfast.codes import Schema


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a language writes types."""

    anything: str
    plain: dict[str, str]
    """By type of JSON, where that has another name."""
    either: str
    array: str
    """With `{}` for the type of what is in it."""
    record: str

    def write(self, schema: Schema) -> str:
        """Return the type that a schema of a `Detail` describes.

        Example:
            >>> WORDS.write({"type": "array", "items": {"type": "string"}})
            'list of string'
        """
        if "enum" in schema:
            return self.either.join(map(json.dumps, cast("list[object]", schema["enum"])))
        if "anyOf" in schema:
            return self.either.join(map(self.write, cast("list[Schema]", schema["anyOf"])))
        if "items" in schema:
            return self.array.format(self.write(cast("Schema", schema["items"])))
        if "additionalProperties" in schema:
            return self.record.format(self.write(cast("Schema", schema["additionalProperties"])))
        kind = str(schema.get("type", ""))
        return self.plain.get(kind, kind or self.anything)


WORDS: Final = Spelling(
    anything="anything",
    plain={"array": "list"},
    either=" or ",
    array="list of {}",
    record="object of {}",
)
TYPESCRIPT: Final = Spelling(
    anything="unknown",
    plain={"integer": "number", "array": "unknown[]", "object": "Record<string, unknown>"},
    either=" | ",
    array="Array<{}>",
    record="Record<string, {}>",
)
