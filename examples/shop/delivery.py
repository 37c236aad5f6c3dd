"""The carrier as the shop sees it, and what the shop answers while the carrier is away."""

from dataclasses import dataclass
from urllib.parse import quote

from examples.shop.neighbours import OK, Neighbour
from holdfast import (
    AppError,
    Classification,
    CommunicationError,
    DeadlineExceededError,
    ErrorContext,
    ErrorKind,
)

_said_last: dict[str, int] = {}
"""Days by SKU, as the carrier said them last."""


class CarrierAway(AppError):
    """The carrier cannot say how long a parcel takes."""

    code = "CARRIER_AWAY"
    kind = ErrorKind.UNAVAILABLE
    title = "Carrier away"
    category = "DELIVERY"


@dataclass(frozen=True, slots=True)
class Carrier(Neighbour):
    """A carrier that is asked over HTTP."""

    name: str = "The carrier"

    def delivery(self, sku: str, mode: str = "ok") -> dict[str, object]:
        """Return how long a parcel takes.

        Args:
            sku: What is in it.
            mode: How the carrier is to behave; it is there to be tried out.

        Raises:
            CarrierAway: When it gives no answer that can be used.
        """
        try:
            reply = self.ask("GET", f"/delivery?sku={quote(sku)}&mode={quote(mode)}")
        except (CommunicationError, DeadlineExceededError) as error:
            raise CarrierAway(str(error), details={"sku": sku}) from error
        if reply.status != OK:
            raise CarrierAway(str(self.failed(reply)), details={"sku": sku})
        _said_last[sku] = int(str(reply.data["days"]))
        return delivery(sku, _said_last[sku], stale=False)


def delivery(sku: str, days: int, *, stale: bool) -> dict[str, object]:
    """Return what callers are told."""
    return {"sku": sku, "days": days, "stale": stale}


def said_last(
    error: BaseException, _context: ErrorContext, _said: Classification
) -> dict[str, object] | None:
    """Answer with what the carrier said last; where it never did, the error is answered.

    The settings of both shops name this as the handler of `CARRIER_AWAY`.
    """
    sku = str(error.details.get("sku")) if isinstance(error, CarrierAway) else ""
    return delivery(sku, _said_last[sku], stale=True) if sku in _said_last else None
