"""The shop's API as a document of OpenAPI: what succeeds stands here, errors where views declare them."""

from typing import TypeAlias, cast

from apispec import APISpec

from holdfast.integrations.apispec import HoldfastPlugin
from holdfast.openapi import ServiceErrors

Json: TypeAlias = dict[str, object]

TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "integer"}


def document_of(service: ServiceErrors) -> Json:
    """Return the document of a shop.

    Args:
        service: How it answers errors, and which view is behind a path.
    """
    spec = APISpec("The shop", "1.0", "3.1.0", plugins=[HoldfastPlugin(service)])
    for name, properties in SCHEMAS.items():
        schema = {"type": "object", "required": [*properties], "properties": properties}
        spec.components.schema(name, schema)  # pyright: ignore[reportUnknownMemberType]  # of any dictionary
    for path, operations in PATHS.items():
        parameters = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        spec.path(path, operations=operations, parameters=[*map(in_path, parameters)])  # pyright: ignore[reportUnknownMemberType]  # of any dictionary
    return cast("Json", spec.to_dict())


def in_path(name: str) -> Json:
    """Return a parameter in a path."""
    schema = NUMBER if name.endswith("_id") else TEXT
    return {"name": name, "in": "path", "required": True, "schema": schema}


def operation(
    summary: str, answer: Json | None, *, status: str = "200", body: str = "", media: str = "json"
) -> Json:
    """Return an operation and its success.

    Args:
        summary: What it does.
        answer: Schema of what it answers with; None: nothing.
        status: Status of success.
        body: Name of the schema of what it is sent.
        media: What comes behind `application/` in the type of the answer; with a slash, all of it.
    """
    success: Json = {"description": "Success"}
    media_type = media if "/" in media else f"application/{media}"
    if answer is not None:
        success["content"] = {media_type: {"schema": answer}}
    described: Json = {"summary": summary, "responses": {status: success}}
    if body:
        content = {"application/json": {"schema": schema_of(body)}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def schema_of(name: str) -> Json:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def health(summary: str) -> Json:
    """Return an operation of health, whose failure is no error of the shop."""
    described = operation(summary, schema_of("Health"), media="health+json")
    responses = cast("Json", described["responses"])
    responses["503"] = {**cast("Json", responses["200"]), "description": "Something is wrong"}
    return described


SCHEMAS: dict[str, Json] = {
    "Product": {"sku": TEXT, "name": TEXT, "price": NUMBER, "stock": NUMBER},
    "Delivery": {"sku": TEXT, "days": NUMBER, "stale": {"type": "boolean"}},
    "Stock": {"sku": TEXT, "pieces": NUMBER},
    "Order": {"id": NUMBER, "sku": TEXT, "quantity": NUMBER, "total": NUMBER, "status": TEXT},
    "NewOrder": {"sku": TEXT, "quantity": {"type": "integer", "minimum": 1}},
    "Payment": {"card": TEXT},
    "Refund": {},
    "Receipt": {"receipt": TEXT},
    "Printing": {"status": TEXT},
    "Sales": {"total": NUMBER},
    "Calculation": {"a": {"type": "number"}, "b": {"type": "number"}, "operation": TEXT},
    "Result": {"result": {"type": "number"}},
    "Statistics": {
        "total_errors": NUMBER,
        "recovered_errors": NUMBER,
        "requests": NUMBER,
        "error_rate": {"type": "number"},
        "errors_by_code": {"type": "object", "additionalProperties": NUMBER},
    },
    "Code": {"code": TEXT, "status": NUMBER, "title": TEXT, "description": TEXT, "advice": TEXT},
    "Codes": {"codes": {"type": "array", "items": schema_of("Code")}},
    "Health": {"status": {"type": "string", "enum": ["pass", "warn", "fail"]}},
}
PRODUCTS: Json = {"type": "array", "items": schema_of("Product")}
PATHS: dict[str, Json] = {
    "/products": {"get": operation("Show everything on sale", PRODUCTS)},
    "/products/{sku}": {"get": operation("Show one product", schema_of("Product"))},
    "/products/{sku}/delivery": {
        "get": operation("Show how long a product takes", schema_of("Delivery"))
    },
    "/products/{sku}/stock": {
        "get": operation("Show how many pieces the warehouse has", schema_of("Stock"))
    },
    "/orders": {"post": operation("Order", schema_of("Order"), status="201", body="NewOrder")},
    "/orders/{order_id}/payment": {
        "post": operation("Pay an order", schema_of("Receipt"), body="Payment")
    },
    "/orders/{order_id}/refund": {
        "post": operation("Give an order back", schema_of("Order"), status="202", body="Refund")
    },
    "/catalogue": {
        "post": operation("Have the catalogue printed", schema_of("Printing"), status="202")
    },
    "/sales": {"get": operation("Show the total of all paid orders", schema_of("Sales"))},
    "/calculate": {"post": operation("Calculate", schema_of("Result"), body="Calculation")},
    "/errors/{name}": {"get": operation("Raise an error", None, status="204")},
    "/crash": {"get": operation("Run into a bug", None, status="204")},
    "/metrics": {"get": operation("Show what was counted", TEXT, media="text/plain")},
    "/statistics": {"get": operation("Show how often errors came", schema_of("Statistics"))},
    "/codes/": {"get": operation("Show every error code", schema_of("Codes"))},
    "/codes/{code}": {"get": operation("Show what a code means", schema_of("Code"))},
    "/openapi.json": {"get": operation("Show this document", {"type": "object"})},
    "/health": {"get": health("Show how the service is")},
    "/health/live": {"get": health("Tell whether the process is alive")},
    "/health/ready": {"get": health("Tell whether it can take requests")},
}
