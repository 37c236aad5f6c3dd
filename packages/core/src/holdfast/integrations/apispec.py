"""apispec: what operations declare by `raises`, in a document; also through flask-smorest and APIFlask.

Extra: `pip install "holdfast[apispec]"`.
"""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Final, cast

try:
    from apispec import APISpec, BasePlugin
except ImportError as error:  # say what to install
    raise ImportError('the plugin needs apispec: pip install "holdfast[apispec]"') from error

from holdfast.catalog import CatalogEntry, find
from holdfast.codes import ErrorCode, is_failure
from holdfast.openapi import ErrorComponents, Json, ServiceErrors
from holdfast.raising import declared_errors
from holdfast.redact import JsonValue
from holdfast.statuses import code_of

_INVALID: Final = (400, 422)
"""What flask-smorest and APIFlask refuse wrong arguments with."""
_BY_NAME: Final = frozenset(
    {"DEFAULT_ERROR", *(status.name for status in HTTPStatus if is_failure(status))}
)
"""The names of flask-smorest's own responses for errors."""
_GENERATED: Final = tuple(
    f"#/components/schemas/{name}" for name in ("HTTPError", "ValidationError")
)
"""The bodies of APIFlask's own errors."""
_COMPONENT: Final = {
    "schemas": "schema",
    "headers": "header",
    "examples": "example",
    "responses": "response",
}


class HoldfastPlugin(BasePlugin):
    """Adds to every operation the errors that its view declares, and `default` for all others.

    What an operation says itself of a status stays. What flask-smorest and APIFlask add by
    themselves, whose bodies are not ours, is replaced. For documents of OpenAPI 3.

    Args:
        service: How the service answers, and how views are found where `spec.path(view=…)` does
            not name them; see `holdfast_flask.openapi.service_errors`.

    Example:
        >>> from holdfast import raises
        >>> @raises("RESOURCE_NOT_FOUND")
        ... def product() -> None: ...
        >>> spec = APISpec("Shop", "1", "3.1.0", plugins=[HoldfastPlugin()])
        >>> _ = spec.path("/product", operations={"get": {"responses": {}}}, view=product)
        >>> spec.to_dict()["paths"]["/product"]["get"]["responses"]["404"]
        {'$ref': '#/components/responses/Error.RESOURCE_NOT_FOUND'}
    """

    def __init__(self, service: ServiceErrors | None = None) -> None:
        self._service = service or ServiceErrors()

    def init_spec(self, spec: APISpec) -> None:
        """Begin a document; apispec calls it."""
        self._spec = spec
        self._parts = ErrorComponents(str(spec.openapi_version), self._service)
        self._told: set[tuple[str, str]] = set()
        self._tell()

    def operation_helper(
        self,
        path: str | None = None,
        operations: dict[str, Json] | None = None,
        **keywords: object,
    ) -> None:
        """Complete the operations of a path; apispec calls it."""
        for method, operation in (operations or {}).items():
            if method.startswith("x-"):
                continue
            view = keywords.get("view") or self._service.view_of(path or "", method.upper())
            given = _by_status(cast("Mapping[object, JsonValue]", operation.get("responses", {})))
            generated = [status for status, said in given.items() if _is_generated(said)]
            refused = [_refusal(int(status)) for status in generated if status.isdecimal()]
            kept = {status: said for status, said in given.items() if status not in generated}
            errors = [*refused, *declared_errors(view, method)]
            operation["responses"] = {**kept, **_missing(self._parts.responses(errors), kept)}
        self._tell()

    def _tell(self) -> None:
        """Add the components to the document that are new."""
        for section, found in self._parts.components.items():
            for name, component in found.items():
                if (section, name) not in self._told:
                    self._told.add((section, name))
                    getattr(self._spec.components, _COMPONENT[section])(name, component)


def _by_status(responses: Mapping[object, JsonValue]) -> Json:
    """Return responses with their statuses as text, as `HTTPStatus` and numbers are given as well."""
    return {
        str(int(status) if isinstance(status, int) else status): said
        for status, said in responses.items()
    }


def _missing(ours: Json, given: Json) -> Json:
    return {status: said for status, said in ours.items() if status not in given}


def _is_generated(response: JsonValue) -> bool:
    """Tell whether a response is what flask-smorest or APIFlask adds by itself for an error."""
    if isinstance(response, str):
        return response in _BY_NAME
    content = response.get("content") if isinstance(response, dict) else None
    if not isinstance(content, dict):
        return False
    schemas = [media.get("schema") for media in content.values() if isinstance(media, dict)]
    return any(isinstance(said, dict) and said.get("$ref") in _GENERATED for said in schemas)


def _refusal(status: int) -> CatalogEntry:
    """Return the error that a generated response stands for."""
    code = ErrorCode.VALIDATION_FAILED if status in _INVALID else code_of(status)
    entry = find(code.code)
    assert entry is not None  # noqa: S101  # it ships
    return replace(entry, status=status)
