"""The shop's API with Django: views that know requests and answers, and nothing of errors."""

from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET, require_POST

from examples.shop import access, mistakes, tracking
from examples.shop.calculator import CalculatorCode, calculate
from examples.shop.delivery import Carrier, CarrierAway
from examples.shop.errors import OutOfStock, ShopCode
from examples.shop.openapi import document_of
from examples.shop.payments import PAYMENT_ERRORS
from examples.shop.requests import (
    BODY_ERRORS,
    OrderRequest,
    PaymentRequest,
    gateway_mode,
    read_object,
)
from examples.shop.service import Shop
from examples.shop.supplies import Warehouse
from examples.shop_django.apps import payment_gateway
from examples.shop_django.store import DjangoStore
from examples.shop_worker import tasks
from holdfast import (
    CircuitOpenError,
    CommunicationError,
    DependencyError,
    ResourceNotFoundError,
    ValidationError,
    WorkflowError,
    current_runtime,
    raises,
)
from holdfast.integrations.prometheus import metrics_response
from holdfast_django.operations import service_errors

shop = Shop(
    DjangoStore(),
    payment_gateway(),
    Carrier(settings.SHOP_GATEWAY),
    Warehouse(settings.SHOP_GATEWAY),
)


@require_GET
def products(_request: HttpRequest) -> JsonResponse:
    """Show everything on sale."""
    return JsonResponse([product.as_json() for product in shop.products()], safe=False)


@raises(ResourceNotFoundError)
@require_GET
def product(_request: HttpRequest, sku: str) -> JsonResponse:
    """Show one product."""
    return JsonResponse(shop.product(sku).as_json())


@raises(ResourceNotFoundError, CarrierAway)
@require_GET
def delivery(request: HttpRequest, sku: str) -> JsonResponse:
    """Show how long a product takes; while the carrier is away, a handler answers in our place."""
    return JsonResponse(shop.delivery(sku, request.GET.get("carrier", "ok")))


@raises(ResourceNotFoundError, DependencyError, CommunicationError, CircuitOpenError)
@require_GET
def stock(request: HttpRequest, sku: str) -> JsonResponse:
    """Show how many pieces the warehouse has; it is asked by a policy."""
    return JsonResponse(shop.stock(sku, request.GET.get("warehouse", "ok")))


@raises(*BODY_ERRORS, ValidationError, ResourceNotFoundError, OutOfStock, ShopCode.ORDER_TOO_LARGE)
@require_POST
def place_order(request: HttpRequest) -> JsonResponse:
    """Take an order."""
    wanted = OrderRequest.read(sent(request))
    order = shop.place_order(wanted.sku, wanted.quantity)
    tasks.confirm_order.delay(order.id, wanted.mail)
    return JsonResponse(order.as_json(), status=201)


@raises(*BODY_ERRORS, ValidationError, ResourceNotFoundError, WorkflowError, *PAYMENT_ERRORS)
@require_POST
def pay(request: HttpRequest, order_id: int) -> JsonResponse:
    """Pay an order."""
    payment = PaymentRequest.read(sent(request))
    return JsonResponse({"receipt": shop.pay(order_id, payment.card, payment.mode)})


@raises(*BODY_ERRORS, ResourceNotFoundError, WorkflowError)
@require_POST
def refund(request: HttpRequest, order_id: int) -> JsonResponse:
    """Take an order back; the money follows behind."""
    mode = gateway_mode(sent(request))
    order = shop.take_back(order_id)
    tasks.refund.delay(order.id, order.total, mode)
    return JsonResponse(order.as_json(), status=202)


@require_POST
def print_catalogue(_request: HttpRequest) -> JsonResponse:
    """Have the catalogue printed, which takes its time."""
    tasks.print_catalogue.delay()
    return JsonResponse({"status": "printing"}, status=202)


@raises(*access.ACCESS_ERRORS)
@require_GET
def sales(request: HttpRequest) -> JsonResponse:
    """Show the total of all paid orders to a manager."""
    access.require(access.Role.MANAGER, request.headers.get("Authorization", ""))
    return JsonResponse({"total": shop.sales()})


@raises(*BODY_ERRORS, *CalculatorCode)
@require_POST
def calculation(request: HttpRequest) -> JsonResponse:
    """Calculate."""
    data = sent(request)
    return JsonResponse({"result": calculate(data.get("a"), data.get("b"), data.get("operation"))})


@raises(*tracking.RAISED)
@require_GET
def raise_example(_request: HttpRequest, name: str) -> HttpResponse:
    """Raise one of the errors of a commerce tracking service."""
    tracking.raise_example(name)
    return HttpResponse(status=204)


@require_GET
def crash(_request: HttpRequest) -> HttpResponse:
    """Run into a bug."""
    mistakes.connect()
    return HttpResponse(status=204)


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Show what was counted."""
    content_type, body = metrics_response(request.headers.get("Accept", ""))
    return HttpResponse(body, content_type=content_type)


@require_GET
def statistics(_request: HttpRequest) -> JsonResponse:
    """Show what was counted in this process; nobody's business outside."""
    return JsonResponse(current_runtime().statistics.snapshot().as_json())


@require_GET
def openapi(_request: HttpRequest) -> JsonResponse:
    """Show the document of this API."""
    return JsonResponse(document())


@cache
def document() -> dict[str, object]:
    """Return the document; it is made once, by who asks first."""
    return document_of(service_errors())


def sent(request: HttpRequest) -> dict[str, object]:
    """Return the JSON object the caller sent."""
    return read_object(request.headers.get("Content-Type", ""), request.body)
