"""The payment gateway as the shop sees it: what its answers mean."""

from dataclasses import dataclass
from urllib.parse import quote

from examples.shop.errors import PaymentDeclined
from examples.shop.model import Order
from examples.shop.neighbours import OK, Neighbour
from holdfast import CommunicationError, DeadlineExceededError, DependencyError

DECLINED = 402
PAYMENT_ERRORS = (PaymentDeclined, DependencyError, CommunicationError, DeadlineExceededError)
"""What may become of a payment."""


@dataclass(frozen=True, slots=True)
class Gateway(Neighbour):
    """A payment gateway that is reached over HTTP."""

    name: str = "The payment gateway"

    def charge(self, order: Order, card: str, mode: str = "ok") -> str:
        """Charge a card with an order's total and return the receipt.

        Args:
            order: What is paid.
            card: Number of the card.
            mode: How the gateway is to behave; it is there to be tried out.

        Raises:
            PaymentDeclined: When the card's bank refuses.
            DependencyError: When the gateway fails or cannot be understood.
            CommunicationError: When it cannot be reached.
            DeadlineExceededError: When it takes too long; whether money has moved is not known.
        """
        payment = {"order": order.id, "amount": order.total, "card": card}
        reply = self.ask("POST", f"/charge?mode={quote(mode)}", payment)
        if reply.status == DECLINED:
            raise PaymentDeclined("The card was declined", details={"order": order.id})
        if reply.status != OK or "receipt" not in reply.data:
            raise self.failed(reply)
        return str(reply.data["receipt"])

    def refund(self, order_id: int, amount: int, mode: str = "ok") -> None:
        """Give money back; asking twice for one order gives it back once.

        Args:
            order_id: Which order.
            amount: How much, in cents.
            mode: How the gateway is to behave.
        """
        reply = self.ask("POST", f"/refund?mode={quote(mode)}", {"order": order_id, "sum": amount})
        if reply.status != OK:
            raise self.failed(reply)

    def answers(self) -> bool:
        """Tell whether the gateway is there."""
        return self.ask("GET", "/").status == OK
