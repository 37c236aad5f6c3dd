"""The payment gateway as the shop sees it: the one edge where its failures become our errors."""

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import cast
from urllib.parse import quote, urlsplit

from examples.shop.errors import PaymentDeclined
from examples.shop.model import Order
from holdfast import CommunicationError, DeadlineExceededError, DependencyError, current_trace_id

OK, DECLINED = 200, 402


@dataclass(frozen=True, slots=True)
class Gateway:
    """A payment gateway that is reached over HTTP."""

    address: str
    """Such as `http://127.0.0.1:9000`."""
    timeout: float = 0.5
    """Seconds to connect, and again to wait for each piece of the answer."""

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
        request = json.dumps({"order": order.id, "amount": order.total, "card": card})
        try:
            status, answer = self._ask("POST", f"/charge?mode={quote(mode)}", request)
        except TimeoutError as error:
            raise DeadlineExceededError(
                f"The payment gateway gave no answer within {self.timeout:g} s"
            ) from error
        except (OSError, HTTPException) as error:
            raise CommunicationError("The payment gateway cannot be reached") from error
        if status == DECLINED:
            raise PaymentDeclined("The card was declined", details={"order": order.id})
        if status != OK or "receipt" not in answer:
            raise DependencyError(
                f"The payment gateway answered with {status}",
                upstream_status=status,
                upstream_code=str(answer.get("code", "")),
            )
        return str(answer["receipt"])

    def answers(self) -> bool:
        """Tell whether the gateway is there."""
        return self._ask("GET", "/")[0] == OK

    def _ask(
        self, method: str, target: str, body: str | None = None
    ) -> tuple[int, dict[str, object]]:
        address = urlsplit(self.address)
        connection = HTTPConnection(
            address.hostname or "", address.port or 80, timeout=self.timeout
        )
        headers = {"Content-Type": "application/json", "X-Request-ID": current_trace_id()}
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            return answer.status, _object(answer.read())
        finally:
            connection.close()


def _object(body: bytes) -> dict[str, object]:
    """Return the JSON object in an answer; an empty one when there is none."""
    try:
        found: object = json.loads(body)
    except ValueError:
        return {}
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}
