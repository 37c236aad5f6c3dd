"""The mail service as the shop sees it."""

from dataclasses import dataclass
from urllib.parse import quote

from examples.shop.neighbours import OK, Neighbour


@dataclass(frozen=True, slots=True)
class MailService(Neighbour):
    """A service that takes mails over HTTP and delivers them."""

    name: str = "The mail service"

    def send(self, order_id: int, subject: str, mode: str = "ok") -> None:
        """Hand over a mail to whoever placed an order.

        Args:
            order_id: Whose order.
            subject: What stands above the mail.
            mode: How the service is to behave; it is there to be tried out.

        Raises:
            DependencyError: When it does not take the mail.
            CommunicationError: When it cannot be reached.
        """
        mail = {"order": order_id, "subject": subject}
        reply = self.ask("POST", f"/mails?mode={quote(mode)}", mail)
        if reply.status != OK:
            raise self.failed(reply)
