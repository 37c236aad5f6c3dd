"""The shop's own codes and errors, declared both ways there are: by enumeration and by class."""

from holdfast import AppError, CodeSpec, ErrorCodes, ErrorKind


class ShopCode(ErrorCodes):
    """Codes for errors that need no class of their own."""

    ORDER_TOO_LARGE = CodeSpec(
        ErrorKind.UNPROCESSABLE,
        "Order too large",
        description="One order takes at most ten pieces; split it.",
    )


class OutOfStock(AppError):
    """An order line cannot be met from stock."""

    code = "ORDER_OUT_OF_STOCK"
    kind = ErrorKind.CONFLICT
    title = "Out of stock"
    category = "STOCK"


class PaymentDeclined(AppError):
    """The bank of the card's owner said no."""

    kind = ErrorKind.UNPROCESSABLE
    title = "Payment declined"
    category = "PAYMENT"
