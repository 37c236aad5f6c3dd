"""The walk as a table: one request for every family of errors, and the answer it has to get."""

from examples.shop.mistakes import PASSWORD
from examples.walk.step import JSON, Behind, Step

PROBLEM, HTML = "application/problem+json", "text/html"
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
FRENCH = {"Accept-Language": "fr-CH, fr;q=0.9, en;q=0.5"}
CARD, DECLINED_CARD = "4111 1111 1111 1111", "4000 0000 0000 0002"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

WELL = (
    Step(title="The catalogue", ask="GET /products", status=200, shows=("SKU-881", "Teapot")),
    Step(
        title="An order",
        ask="POST /orders",
        send={"sku": "SKU-882", "quantity": 2},
        status=201,
        body={"id": 1, "total": 4900, "status": "pending"},
    ),
    Step(
        title="Its payment",
        ask="POST /orders/1/payment",
        send={"card": CARD},
        status=200,
        body={"receipt": "receipt-1"},
        hides=(CARD,),
    ),
    Step(
        title="Another order, for what follows",
        ask="POST /orders",
        send={"sku": "SKU-883", "quantity": 1},
        status=201,
        body={"id": 2},
    ),
)

CALLERS = (
    Step(
        title="Fields missing or wrong: all of them named at once",
        ask="POST /orders",
        send={"quantity": 0},
        status=400,
        code="VALIDATION_FAILED",
        body={
            "except.type": "ValidationError",
            "except.details.field_errors.sku": ["a SKU is required"],
            "errors": ["sku: a SKU is required", "quantity: must be a whole number above 0"],
        },
    ),
    Step(
        title="Not JSON",
        ask="POST /orders",
        send=b'{"sku": ',
        status=400,
        code="MALFORMED_JSON",
    ),
    Step(
        title="The wrong type of content",
        ask="POST /orders",
        send=b"sku=SKU-881",
        request_headers={"Content-Type": "application/x-www-form-urlencoded"},
        status=415,
        code="UNSUPPORTED_MEDIA_TYPE",
    ),
    Step(
        title="A body that is too large; refused by the framework",
        ask="POST /orders",
        send={"sku": "x" * 12_000},
        status=413,
        code="PAYLOAD_TOO_LARGE",
    ),
    Step(
        title="No such address; noticed by the framework",
        ask="GET /nowhere",
        status=404,
        code="RESOURCE_NOT_FOUND",
        body={"except.type": "ResourceNotFoundError"},
    ),
    Step(
        title="A method the address does not have",
        ask="DELETE /orders",
        status=405,
        code="METHOD_NOT_ALLOWED",
        headers={"Allow": "*"},
    ),
    Step(
        title="Nobody signed in",
        ask="GET /sales",
        status=401,
        code="UNAUTHORIZED",
        headers={"WWW-Authenticate": "Bearer"},
        body={"except.type": "AuthenticationError"},
    ),
    Step(
        title="A token that has expired",
        ask="GET /sales",
        request_headers={"Authorization": "Bearer yesterday"},
        status=401,
        code="TOKEN_EXPIRED",
        hides=("Bearer yesterday",),
    ),
    Step(
        title="Somebody who may not",
        ask="GET /sales",
        request_headers={"Authorization": "Bearer clerk"},
        status=403,
        code="INSUFFICIENT_PERMISSIONS",
        level="WARNING",
        body={"except.type": "AuthorizationError"},
    ),
    Step(
        title="No such product",
        ask="GET /products/SKU-999",
        status=404,
        code="RESOURCE_NOT_FOUND",
        body={"message": "Product SKU-999 not found", "except.details": {"sku": "SKU-999"}},
    ),
    Step(
        title="Out of stock: an error class of the shop's own",
        ask="POST /orders",
        send={"sku": "SKU-881", "quantity": 9},
        status=409,
        code="ORDER_OUT_OF_STOCK",
        body={"except.type": "OutOfStock", "except.details.left": 5},
    ),
    Step(
        title="Paid twice: a transition the order's state does not allow",
        ask="POST /orders/1/payment",
        send={"card": CARD},
        status=409,
        code="INVALID_STATE_TRANSITION",
        body={"except.type": "WorkflowError", "except.details.current_state": "paid"},
        hides=(CARD,),
    ),
    Step(
        title="Well formed, but against a rule: a code of the shop's own",
        ask="POST /orders",
        send={"sku": "SKU-883", "quantity": 50},
        status=422,
        code="ORDER_TOO_LARGE",
        body={"except.type": "BusinessLogicError", "except.details.most": 10},
    ),
    Step(
        title="A card that is declined",
        ask="POST /orders/2/payment",
        send={"card": DECLINED_CARD},
        status=422,
        code="PAYMENT_DECLINED",
        hides=(DECLINED_CARD,),
    ),
    Step(
        title="Too many requests",
        ask="GET /errors/too-many-requests",
        status=429,
        code="RATE_LIMIT_EXCEEDED",
        level="WARNING",
        headers={"Retry-After": "45"},
        body={"except.retry_after": 45},
    ),
    Step(
        title="A caller who left before the answer",
        ask="GET /errors/client-closed",
        status=499,
        code="CLIENT_CLOSED_REQUEST",
        level="",
    ),
)

OURS = (
    Step(
        title="A bug: an exception nobody foresaw, with a password in its text",
        ask="GET /crash",
        status=500,
        code="INTERNAL_ERROR",
        level="ERROR",
        body={"message": "Internal server error", "except.type": "InternalServerError"},
        keeps=("could not connect",),
        hides=(PASSWORD, "jane.doe@example.com"),
    ),
    Step(
        title="A row that the database refuses",
        ask="GET /errors/database",
        status=409,
        code="FOREIGN_KEY_CONSTRAINT",
        body={"except.type": "DatabaseError", "except.details.table": "collections"},
    ),
    Step(
        title="The payment gateway answers, and wrongly",
        ask="POST /orders/2/payment",
        send={"card": CARD, "gateway": "error"},
        status=502,
        code="DEPENDENCY_FAILED",
        level="ERROR",
        body={"except.type": "DependencyError"},
        hides=(CARD,),
    ),
    Step(
        title="The payment gateway hangs up",
        ask="POST /orders/2/payment",
        send={"card": CARD, "gateway": "down"},
        status=503,
        code="COMMUNICATION_ERROR",
        level="WARNING",
        body={"except.type": "CommunicationError"},
        hides=(CARD,),
    ),
    Step(
        title="The payment gateway takes too long",
        ask="POST /orders/2/payment",
        send={"card": CARD, "gateway": "slow"},
        status=504,
        code="DEADLINE_EXCEEDED",
        level="WARNING",
        body={"except.type": "DeadlineExceededError"},
        hides=(CARD,),
    ),
    Step(
        title="A service that is being deployed",
        ask="GET /errors/unavailable",
        status=503,
        code="SERVICE_UNAVAILABLE",
        level="WARNING",
        keeps=("is being deployed",),
    ),
)


HANDLED = (
    Step(
        title="How long a parcel takes: the carrier says so",
        ask="GET /products/SKU-881/delivery",
        status=200,
        body={"days": 2, "stale": False},
    ),
    Step(
        title="The carrier hangs up: a handler answers with what it said last",
        ask="GET /products/SKU-881/delivery?carrier=down",
        status=200,
        code="CARRIER_AWAY",
        level="WARNING",
        recovered=True,
        body={"days": 2, "stale": True},
    ),
    Step(
        title="The carrier fails, and never said anything of this one: the handler declines",
        ask="GET /products/SKU-883/delivery?carrier=error",
        status=503,
        code="CARRIER_AWAY",
        level="WARNING",
        body={"except.type": "CarrierAway"},
    ),
)

PROTECTED = (
    Step(
        title="How many pieces there are: the warehouse says so",
        ask="GET /products/SKU-881/stock",
        status=200,
        body={"pieces": 7},
    ),
    Step(
        title="The warehouse is busy: asked again when it said, and it answers",
        ask="GET /products/SKU-881/stock?warehouse=busy",
        status=200,
        body={"pieces": 7},
    ),
    Step(
        title="The warehouse hangs up, twice",
        ask="GET /products/SKU-881/stock?warehouse=down",
        status=503,
        code="COMMUNICATION_ERROR",
        level="WARNING",
    ),
    Step(
        title="Its circuit is open now: refused at once, without asking",
        ask="GET /products/SKU-881/stock",
        status=503,
        code="CIRCUIT_OPEN",
        level="WARNING",
        headers={"Retry-After": "*"},
    ),
)


def calculation(a: object, b: object, operation: str) -> dict[str, object]:
    """Return the body that asks for a calculation."""
    return {"a": a, "b": b, "operation": operation}


CALCULATOR = (
    Step(
        title="10 / 2",
        ask="POST /calculate",
        send=calculation(10, 2, "/"),
        status=200,
        body={"result": 5.0},
    ),
    Step(
        title="10 / 0: division by zero",
        ask="POST /calculate",
        send=calculation(10, 0, "/"),
        status=422,
        code="DIVISION_BY_ZERO",
    ),
    Step(
        title='"abc" + 5: the first operand is invalid',
        ask="POST /calculate",
        send=calculation("abc", 5, "+"),
        status=400,
        code="FIRST_OPERAND_INVALID",
    ),
    Step(
        title="10 * null: the second operand is invalid",
        ask="POST /calculate",
        send=calculation(10, None, "*"),
        status=400,
        code="SECOND_OPERAND_INVALID",
    ),
    Step(
        title="10 % 5: no such operation",
        ask="POST /calculate",
        send=calculation(10, 5, "%"),
        status=400,
        code="OPERATION_UNSUPPORTED",
        body={"except.details.supported": ["+", "-", "*", "/"]},
    ),
    Step(
        title="1e308 * 10: overflow",
        ask="POST /calculate",
        send=calculation(1e308, 10, "*"),
        status=422,
        code="RESULT_OVERFLOW",
    ),
    Step(
        title="NaN + 1",
        ask="POST /calculate",
        send=calculation(float("nan"), 1, "+"),
        status=400,
        code="OPERAND_NOT_A_NUMBER",
        body={"except.details.operand": "first"},
    ),
    Step(
        title="1 - infinity",
        ask="POST /calculate",
        send=calculation(1, float("inf"), "-"),
        status=400,
        code="OPERAND_INFINITE",
        body={"except.details.operand": "second"},
    ),
)

MANNERS = (
    Step(
        title="The bug again, for a caller who speaks French",
        ask="GET /crash",
        request_headers=FRENCH,
        status=500,
        code="INTERNAL_ERROR",
        level="ERROR",
        headers={"Content-Language": "fr"},
        body={
            "message": "Erreur interne du serveur",
            "errors": [
                "Une erreur inattendue s'est produite",
                "Veuillez réessayer dans quelques minutes",
            ],
        },
    ),
    Step(
        title="An error as problem details (RFC 9457)",
        ask="GET /products/SKU-999",
        request_headers={"Accept": PROBLEM},
        status=404,
        code="RESOURCE_NOT_FOUND",
        content_type=PROBLEM,
        body={"type": "/codes/RESOURCE_NOT_FOUND", "title": "Resource not found", "status": 404},
    ),
    Step(
        title="What its type leads to: a page for people, and this for programs",
        ask="GET /codes/RESOURCE_NOT_FOUND",
        request_headers={"Accept": JSON},
        status=200,
        body={"code": "RESOURCE_NOT_FOUND", "status": 404, "kind": "NOT_FOUND"},
    ),
    Step(
        title="An error in a browser",
        ask="GET /products/SKU-999",
        request_headers=BROWSER,
        status=404,
        code="RESOURCE_NOT_FOUND",
        content_type=HTML,
        shows=("<!doctype html>", "RESOURCE_NOT_FOUND"),
    ),
    Step(
        title="An id that the caller brings along comes back",
        ask="GET /products/SKU-999",
        request_headers={"X-Request-ID": "checkout-42"},
        status=404,
        code="RESOURCE_NOT_FOUND",
        headers={"X-Request-ID": "checkout-42"},
        body={"except.trace_id": "checkout-42"},
    ),
    Step(
        title="A trace goes on",
        ask="GET /products/SKU-999",
        request_headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
        status=404,
        code="RESOURCE_NOT_FOUND",
        headers={"X-Request-ID": TRACE, "traceparent": "*"},
        body={"except.trace_id": TRACE},
    ),
    Step(
        title="An id that is none is not taken over",
        ask="GET /products/SKU-999",
        request_headers={"X-Request-ID": "x" * 1000},
        status=404,
        code="RESOURCE_NOT_FOUND",
        hides=("x" * 129,),
    ),
)

HEALTH = (
    Step(title="How the service is", ask="GET /health", status=200, content_type="*"),
    Step(title="The same with a slash", ask="GET /health/", status=200, content_type="*"),
)

BEHIND = (
    Step(
        title="An order is confirmed by mail, behind the answer",
        ask="POST /orders",
        send={"sku": "SKU-882", "quantity": 1},
        status=201,
        behind=Behind(task="shop.confirm_order", mail=True),
    ),
    Step(
        title="The mail service is busy: the task waits as long as it is asked to, and tries again",
        ask="POST /orders",
        send={"sku": "SKU-882", "quantity": 1, "mail": "busy"},
        status=201,
        behind=Behind(task="shop.confirm_order", mail=True),
    ),
    Step(
        title="A refund that the gateway refuses every time: recorded once, after the last attempt",
        ask="POST /orders/1/refund",
        send={"gateway": "error"},
        status=202,
        body={"id": 1, "status": "refunding"},
        behind=Behind(task="shop.refund", code="DEPENDENCY_FAILED"),
    ),
)

KILLED = (
    Step(
        title="A task whose process is killed: nothing in it could say a word",
        ask="POST /catalogue",
        status=202,
        behind=Behind(task="shop.print_catalogue", code="TASK_LOST", level="CRITICAL", kills=True),
    ),
)

WALK: dict[str, tuple[Step, ...]] = {
    "All is well": WELL,
    "The caller's fault": CALLERS,
    "Our fault, or that of what we depend on": OURS,
    "A handler: the carrier is away, and callers get what is known": HANDLED,
    "A policy: the warehouse is asked twice, and left alone when it keeps failing": PROTECTED,
    "A calculator": CALCULATOR,
    "The same errors in the caller's language, format and trace": MANNERS,
    "Health": HEALTH,
    "Behind the answer: tasks, under the id of the request that sent them": BEHIND,
}
