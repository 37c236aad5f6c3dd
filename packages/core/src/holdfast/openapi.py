"""What OpenAPI documents say of errors: plain dictionaries, for any generator of documents.

Written for OpenAPI 3.1, whose schemas are JSON Schema of 2020-12, and for 3.0, which has neither
`const` nor the type `null`. Each operation names the codes it answers with, by status; everything
else that any operation may answer is said once, as its `default`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby
from typing import Final, TypeAlias, cast

from holdfast.catalog import CatalogEntry, find
from holdfast.envelope import Format
from holdfast.redact import JsonValue

Json: TypeAlias = dict[str, JsonValue]
ViewOf: TypeAlias = Callable[[str, str], object]
"""Takes the path of a document and a method in upper case, and returns the view or None."""

ENVELOPE: Final = "HoldfastError"
PROBLEM: Final = "HoldfastProblem"
"""Names of the two schemas in a document."""
DEFAULT_RESPONSE: Final = "HoldfastError"
"""Name of the response that stands for every error an operation does not name."""

_TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
_TIMESTAMP = "2024-01-15T10:30:00Z"
_SCHEMA_OF = {Format.ENVELOPE: ENVELOPE, Format.PROBLEM: PROBLEM}
_PREFIX_OF = {Format.ENVELOPE: "Error", Format.PROBLEM: "Problem"}
_HEADERS: Final[Mapping[str, str]] = {
    "X-Request-ID": "Id of the request, as in the body and in the service's records.",
    "Content-Language": "Language of the texts for people.",
    "WWW-Authenticate": "How to sign in.",
    "Allow": "The methods that the address has.",
    "Retry-After": "Whole seconds after which trying again makes sense.",
}
_ALWAYS = ("X-Request-ID", "Content-Language")
_BY_STATUS = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}


def _no_view(_path: str, _method: str) -> object:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceErrors:
    """How one service answers errors, as its settings say."""

    response_format: str = "envelope"
    """`envelope`, and callers may ask for problems; or `problem`, and that is all they get."""
    problem_type: str = "about:blank"
    """Member `type` of a problem; `{code}` in it becomes the code."""
    catalog: str = ""
    """Path of the pages of codes, with a slash at its end; empty: they are not served."""
    view_of: ViewOf = _no_view
    """Finds the view of an operation, for generators that do not say which it is."""

    @property
    def formats(self) -> tuple[Format, ...]:
        """The formats of its answers to programs."""
        both = (Format.ENVELOPE, Format.PROBLEM)
        return both[1:] if self.response_format == "problem" else both

    def type_of(self, code: str) -> str:
        """Return the member `type` of a problem with a code."""
        to_page = self.catalog and self.problem_type == "about:blank"
        uri = f"{self.catalog}{{code}}" if to_page else self.problem_type
        return uri.replace("{code}", code)


def envelope_schema(openapi: str = "3.1.0") -> Json:
    """Return the schema of the default body.

    Args:
        openapi: Version of the document: 3.0 or 3.1.

    Example:
        >>> envelope_schema()["required"]
        ['success', 'message', 'result', 'errors', 'except']
    """
    success: Json = {"type": "boolean", "description": "Always false."}
    result: Json = {"type": "object", "nullable": True}
    if not openapi.startswith("3.0"):
        success["const"] = False
        result = {"type": "null"}
    about = _object(
        {
            "type": _text("Class of the error."),
            "code": _text("Code of the error: stable, to be told apart by programs."),
            "trace_id": _text("Id under which the service has recorded the request."),
            "timestamp": {"type": "string", "format": "date-time"},
        },
        _optional(),
    )
    return {
        "description": "An error, whichever part of the service it comes from.",
        **_object(
            {
                "success": success,
                "message": _text("What went wrong, for people."),
                "result": {**result, "description": "Always null."},
                "errors": _sentences(),
                "except": about,
            }
        ),
    }


def problem_schema() -> Json:
    """Return the schema of `application/problem+json` (RFC 9457) with our own members.

    Example:
        >>> problem_schema()["properties"]["status"]["minimum"]
        400
    """
    return {
        "description": "An error as RFC 9457 has it.",
        **_object(
            {
                "type": {"type": "string", "format": "uri-reference"},
                "title": _text("Short text for the code."),
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "detail": _text("What went wrong, for people."),
                "instance": {"type": "string", "format": "uri"},
                "code": _text("Code of the error: stable, to be told apart by programs."),
                "errors": _sentences(),
                "trace_id": _text("Id under which the service has recorded the request."),
                "timestamp": {"type": "string", "format": "date-time"},
            },
            _optional(),
        ),
    }


class ErrorComponents:
    """The shared parts of one document, and the responses that refer to them.

    Args:
        openapi: Version of the document: 3.0 or 3.1.
        service: How the service answers.

    Example:
        >>> from holdfast import catalog
        >>> parts = ErrorComponents("3.1.0")
        >>> parts.responses([catalog.find("TOKEN_EXPIRED"), catalog.find("UNAUTHORIZED")]).keys()
        dict_keys(['401', 'default'])
        >>> parts.components["schemas"].keys()
        dict_keys(['HoldfastError', 'HoldfastProblem'])
    """

    def __init__(self, openapi: str = "3.1.0", service: ServiceErrors | None = None) -> None:
        service = service or ServiceErrors()
        self._service = service
        self._is_3_0 = openapi.startswith("3.0")
        schemas = {ENVELOPE: envelope_schema(openapi), PROBLEM: problem_schema()}
        names = [_SCHEMA_OF[form] for form in service.formats]
        self.components: dict[str, dict[str, Json]] = {
            "schemas": {name: schemas[name] for name in names},
            "headers": {},
            "examples": {},
            "responses": {},
        }
        """By section and name, as they stand in a document; grows with the responses."""
        self._add("responses", DEFAULT_RESPONSE, self._response("Any other error.", _ALWAYS, ()))

    def responses(self, errors: Iterable[CatalogEntry]) -> Json:
        """Return an operation's responses by status: its own errors, and `default` for all others."""
        unique = {(error.status, error.code): error for error in errors}
        found = [error for _, error in sorted(unique.items())]
        by_status = groupby(found, key=lambda error: error.status)
        own = {str(status): self._one_status(status, [*group]) for status, group in by_status}
        return {**own, "default": _reference("responses", DEFAULT_RESPONSE)}

    def _one_status(self, status: int, errors: list[CatalogEntry]) -> Json:
        headers = (*_ALWAYS, *_BY_STATUS.get(status, ()))
        said = "\n".join(_line(error) for error in errors)
        response = self._response(f"{_phrase(status)}\n\n{said}", headers, errors)
        if len(errors) > 1:
            return response
        # The same wherever an operation gives no other error with this status.
        return self._add("responses", f"Error.{_name(errors[0])}", response)

    def _response(
        self, description: str, headers: Iterable[str], errors: Iterable[CatalogEntry]
    ) -> Json:
        shown = {
            name: self._add("headers", f"Error.{name}", _header(name, _HEADERS[name]))
            for name in headers
        }
        content = {form.value: self._media_type(form, [*errors]) for form in self._service.formats}
        return {"description": description, "headers": {**shown}, "content": {**content}}

    def _media_type(self, form: Format, errors: list[CatalogEntry]) -> Json:
        general = _reference("schemas", _SCHEMA_OF[form])
        if not errors:
            return {"schema": general}
        examples = {error.code: self._example(form, error) for error in errors}
        return {
            "schema": {"allOf": [general, self._narrowed(form, errors)]},
            "examples": {**examples},
        }

    def _example(self, form: Format, error: CatalogEntry) -> Json:
        body = _envelope(error) if form is Format.ENVELOPE else self._problem(error)
        example: Json = {"summary": error.title, "description": error.advice, "value": body}
        return self._add("examples", f"{_PREFIX_OF[form]}.{_name(error)}", example)

    def _problem(self, error: CatalogEntry) -> Json:
        return {
            "type": self._service.type_of(error.code),
            "title": error.title,
            "status": error.status,
            "detail": error.title,
            "instance": "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            "code": error.code,
            "errors": [error.title],
            "trace_id": _TRACE_ID,
            "timestamp": _TIMESTAMP,
        }

    def _add(self, section: str, name: str, component: Json) -> Json:
        self.components[section][name] = component
        return _reference(section, name)

    def _narrowed(self, form: Format, errors: Iterable[CatalogEntry]) -> Json:
        """Return what is true of a body beyond the general schema: its codes, and details of each."""
        found = [*errors]
        bare = [error.code for error in found if not error.details]
        cases = [_case(form, bare, {})] if bare else []
        cases += [_case(form, [e.code], self._details(e)) for e in found if e.details]
        return cases[0] if len(cases) == 1 else {"oneOf": [*cases]}

    def _details(self, error: CatalogEntry) -> Json:
        schemas = {name: cast("Json", detail.schema()) for name, detail in error.details.items()}
        if self._is_3_0:
            schemas = {name: as_openapi_3_0(schema) for name, schema in schemas.items()}
        schema: Json = {"type": "object", "properties": {**schemas}}
        return {"details": self._add("schemas", f"Details.{error.code}", schema)}


def _envelope(error: CatalogEntry) -> Json:
    return {
        "success": False,
        "message": error.title,
        "result": None,
        "errors": [error.title],
        "except": {
            "type": error.type,
            "code": error.code,
            "trace_id": _TRACE_ID,
            "timestamp": _TIMESTAMP,
        },
    }


def _case(form: Format, codes: Iterable[str], details: Json) -> Json:
    about: Json = {"code": {"type": "string", "enum": [*codes]}, **details}
    schema: Json = {"type": "object", "properties": about}
    if form is Format.PROBLEM:
        return schema
    return {"type": "object", "properties": {"except": schema}}


def as_openapi_3_0(schema: Json) -> Json:
    """Return a schema of a detail as OpenAPI 3.0 has it: `nullable`, and no arrays of nobody knows what.

    Example:
        >>> as_openapi_3_0({"anyOf": [{"type": "integer"}, {"type": "null"}]})
        {'anyOf': [{'type': 'integer', 'nullable': True}]}
    """
    changed: Json = {}
    for name, value in schema.items():
        changed[name] = as_openapi_3_0(value) if isinstance(value, dict) else value
    if "anyOf" in changed:
        changed["anyOf"] = _nullable(cast("list[Json]", changed["anyOf"]))
    if changed.get("type") == "array":
        changed.setdefault("items", {})
    if changed.get("type") == "null":
        changed |= {"type": "object", "nullable": True, "maxProperties": 0}
    return changed


def _nullable(choices: Iterable[Json]) -> list[JsonValue]:
    """Return choices without the type null, which the others allow instead where it was one of them."""
    said = [as_openapi_3_0(choice) for choice in choices if choice.get("type") != "null"]
    if any(choice.get("type") == "null" for choice in choices):
        said = [_or_null(choice) for choice in said]
    return [*said]


def _or_null(schema: Json) -> Json:
    values = schema.get("enum")
    listed: Json = {"enum": [*values, None]} if isinstance(values, list) else {}
    typed: Json = {"nullable": True} if "type" in schema else {}
    return {**schema, **listed, **typed}


def _name(error: CatalogEntry) -> str:
    """Return the name of an error's components: its code, and its status where that is another."""
    usual = find(error.code)
    same = usual is not None and usual.status == error.status
    return error.code if same else f"{error.code}.{error.status}"


def _line(error: CatalogEntry) -> str:
    said = f"{error.title}. {error.description}"
    return f"- `{error.code}`: {' '.join(said.split())}"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Error {status}"


def _header(name: str, description: str) -> Json:
    number = name == "Retry-After"
    schema: Json = {"type": "integer", "minimum": 0} if number else {"type": "string"}
    return {"description": description, "schema": schema}


def _reference(section: str, name: str) -> Json:
    return {"$ref": f"#/components/{section}/{name}"}


def _object(
    required: Mapping[str, Json], optional: Mapping[str, Json] = {}
) -> Json:  # is only read
    return {
        "type": "object",
        "required": [*required],
        "properties": {**required, **optional},
    }


def _optional() -> Mapping[str, Json]:
    return {
        "details": {"type": "object", "description": "Facts about this error, by name."},
        "retry_after": {
            "type": "integer",
            "minimum": 0,
            "description": "Whole seconds after which trying again makes sense.",
        },
    }


def _text(description: str) -> Json:
    return {"type": "string", "description": description}


def _sentences() -> Json:
    return {
        "type": "array",
        "items": {"type": "string"},
        "minItems": 1,
        "description": "What went wrong in sentences, for people.",
    }
