"""What callers send, read strictly: every wrong field is named at once."""

import json
from dataclasses import dataclass
from typing import cast

from holdfast import ErrorCode, ValidationError

BODY_ERRORS = (
    ErrorCode.INVALID_REQUEST_DATA,
    ErrorCode.MALFORMED_JSON,
    ErrorCode.PAYLOAD_TOO_LARGE,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE,
)
"""What may be wrong with any body; the frameworks themselves refuse those that are too large."""


def read_object(content_type: str, body: bytes) -> dict[str, object]:
    """Return the JSON object in the body of a request."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise ValidationError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, "Send the body as application/json")
    try:
        found: object = json.loads(body)
    except ValueError as error:
        raise ValidationError(ErrorCode.MALFORMED_JSON, "The body is not valid JSON") from error
    if not isinstance(found, dict):
        raise ValidationError(ErrorCode.INVALID_REQUEST_DATA, "The body must be a JSON object")
    return cast("dict[str, object]", found)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What it takes to order."""

    sku: str
    quantity: int
    mail: str = "ok"
    """How the mail service is to behave; it is there to be tried out."""

    @classmethod
    def read(cls, data: dict[str, object]) -> "OrderRequest":
        """Return the request in a JSON object."""
        wrong: dict[str, list[str]] = {}
        sku, quantity = data.get("sku"), data.get("quantity")
        if not isinstance(sku, str) or not sku:
            wrong["sku"] = ["a SKU is required"]
        if not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 1:
            wrong["quantity"] = ["must be a whole number above 0"]
        if wrong:
            raise ValidationError("The order is incomplete", field_errors=wrong)
        return cls(cast("str", sku), cast("int", quantity), str(data.get("mail", "ok")))


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What it takes to pay."""

    card: str
    mode: str

    @classmethod
    def read(cls, data: dict[str, object]) -> "PaymentRequest":
        """Return the request in a JSON object."""
        card = data.get("card")
        if not isinstance(card, str) or not card.replace(" ", "").isdigit():
            raise ValidationError(
                "The payment is incomplete", field_errors={"card": ["must be the card's number"]}
            )
        return cls(card, gateway_mode(data))


def gateway_mode(data: dict[str, object]) -> str:
    """Return how the payment gateway is to behave; it is there to be tried out."""
    return str(data.get("gateway", "ok"))
