"""Forms of text that several settings have."""

from typing import Annotated, TypeAlias

from holdfast.strict import Matches

_IDENTIFIER = r"[^\W\d]\w*"
_DOTTED = rf"{_IDENTIFIER}(\.{_IDENTIFIER})*"
PATH = rf"{_DOTTED}:{_DOTTED}|{_IDENTIFIER}(\.{_IDENTIFIER})+"

DottedPath: TypeAlias = Annotated[
    str, Matches(PATH, "a dotted path such as 'shop.errors:classify'")
]
"""Where an object is: `package.module:name`, or `package.module.name`."""

ReporterName: TypeAlias = Annotated[
    str,
    Matches(
        rf"[a-z][a-z0-9_-]*|{PATH}",
        "the name of a reporter such as 'logging', or a dotted path such as 'shop.reporters:Pager'",
    ),
]
"""A reporter that ships, by name, or one's own, by dotted path."""

Label: TypeAlias = Annotated[
    str, Matches(r"[^\x00-\x1f\x7f-\x9f]{0,200}", "printable text of at most 200 characters")
]
"""What stands in records, metrics and headers; may be empty."""

Language: TypeAlias = Annotated[
    str, Matches(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", "a language tag such as 'en' or 'pt-BR'")
]

Folder: TypeAlias = Annotated[
    str, Matches(r"[^\x00-\x1f\x7f]{1,1000}", "the path of a folder, at most 1000 characters")
]
"""Where something is kept; relative paths are relative to the working directory."""

_WHO = r"([!-\"$-.0->@-~]{0,1000}@)?"
_HOST = r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_.-]{0,253})(:[0-9]{1,5})?"
_PATH = r"[!-~]{0,2000}"

RedisURL: TypeAlias = Annotated[
    str,
    Matches(
        rf"(rediss?://{_WHO}{_HOST}([/?]{_PATH})?|unix://{_PATH})?",
        "a URL such as 'redis://localhost:6379/0', with what is special in a password encoded",
    ),
]
"""Where a Redis is; empty: none."""
