"""The shop's API with Flask.

gunicorn examples.shop_flask.app:wsgi
uvicorn examples.shop_flask.app:asgi
"""

import os
from functools import cache

from asgiref.wsgi import WsgiToAsgi
from flask import Flask, request
from flask.typing import ResponseReturnValue

from examples.shop import access, mistakes, tracking
from examples.shop.alerts import ALERTS
from examples.shop.calculator import CalculatorCode, calculate
from examples.shop.delivery import Carrier, CarrierAway
from examples.shop.errors import OutOfStock, ShopCode
from examples.shop.health import HEALTH
from examples.shop.openapi import document_of
from examples.shop.payments import PAYMENT_ERRORS, Gateway
from examples.shop.requests import (
    BODY_ERRORS,
    OrderRequest,
    PaymentRequest,
    gateway_mode,
    read_object,
)
from examples.shop.service import Shop
from examples.shop.supplies import Warehouse
from examples.shop_flask.store import SqliteStore
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
from holdfast_flask import Holdfast
from holdfast_flask.openapi import service_errors

LARGEST_BODY = 10_000


def create_app() -> Flask:
    """Make the application, told by the environment where its database and its gateway are."""
    app = Flask("shop")
    app.config.from_mapping(
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        HOLDFAST_SERVICE="shop",
        HOLDFAST_REPORTERS=["logging", "prometheus"],
        HOLDFAST_LOGGING={"FORMAT": "json"},
        HOLDFAST_HANDLERS={"CARRIER_AWAY": "examples.shop.delivery:said_last"},
        HOLDFAST_ALERTS=ALERTS,
        HOLDFAST_HEALTH=HEALTH,
        HOLDFAST_CATALOG_PREFIX="/codes",
    )
    errors = Holdfast(app)
    store = SqliteStore(os.environ.get("SHOP_DATABASE", "shop_flask.sqlite3"))
    address = os.environ.get("SHOP_GATEWAY", "http://127.0.0.1:9000")
    gateway = Gateway(address)
    health = errors.runtime.health
    health.register_check("database", store.products)
    health.register_check("payment-gateway", gateway.answers, critical=False, timeout=1.0)
    shop = Shop(store, gateway, Carrier(address), Warehouse(address))
    add_products(app, shop)
    add_orders(app, shop)
    add_examples(app)
    add_document(app)
    return app


def add_products(app: Flask, shop: Shop) -> None:
    """Add what is on sale."""

    @app.get("/products")
    def products() -> ResponseReturnValue:
        return [product.as_json() for product in shop.products()]

    @raises(ResourceNotFoundError)
    @app.get("/products/<sku>")
    def product(sku: str) -> ResponseReturnValue:
        return shop.product(sku).as_json()

    @raises(ResourceNotFoundError, CarrierAway)
    @app.get("/products/<sku>/delivery")
    def delivery(sku: str) -> ResponseReturnValue:  # a handler answers while the carrier is away
        return shop.delivery(sku, request.args.get("carrier", "ok"))

    @raises(ResourceNotFoundError, DependencyError, CommunicationError, CircuitOpenError)
    @app.get("/products/<sku>/stock")
    def stock(sku: str) -> ResponseReturnValue:  # a policy asks the warehouse
        return shop.stock(sku, request.args.get("warehouse", "ok"))

    @app.post("/catalogue")
    def print_catalogue() -> ResponseReturnValue:
        tasks.print_catalogue.delay()
        return {"status": "printing"}, 202


def add_orders(app: Flask, shop: Shop) -> None:
    """Add what is sold, and for how much."""

    @raises(
        *BODY_ERRORS, ValidationError, ResourceNotFoundError, OutOfStock, ShopCode.ORDER_TOO_LARGE
    )
    @app.post("/orders")
    def place_order() -> ResponseReturnValue:
        wanted = OrderRequest.read(sent())
        order = shop.place_order(wanted.sku, wanted.quantity)
        tasks.confirm_order.delay(order.id, wanted.mail)
        return order.as_json(), 201

    @raises(*BODY_ERRORS, ValidationError, ResourceNotFoundError, WorkflowError, *PAYMENT_ERRORS)
    @app.post("/orders/<int:order_id>/payment")
    def pay(order_id: int) -> ResponseReturnValue:
        payment = PaymentRequest.read(sent())
        return {"receipt": shop.pay(order_id, payment.card, payment.mode)}

    @raises(*BODY_ERRORS, ResourceNotFoundError, WorkflowError)
    @app.post("/orders/<int:order_id>/refund")
    def refund(order_id: int) -> ResponseReturnValue:
        mode = gateway_mode(sent())
        order = shop.take_back(order_id)
        tasks.refund.delay(order.id, order.total, mode)
        return order.as_json(), 202

    @raises(*access.ACCESS_ERRORS)
    @app.get("/sales")
    def sales() -> ResponseReturnValue:
        access.require(access.Role.MANAGER, request.headers.get("Authorization", ""))
        return {"total": shop.sales()}


def add_examples(app: Flask) -> None:
    """Add the calculator, the errors that are raised on request, and what was counted."""

    @raises(*BODY_ERRORS, *CalculatorCode)
    @app.post("/calculate")
    def calculation() -> ResponseReturnValue:
        data = sent()
        return {"result": calculate(data.get("a"), data.get("b"), data.get("operation"))}

    @raises(*tracking.RAISED)
    @app.get("/errors/<name>")
    def raise_example(name: str) -> ResponseReturnValue:
        tracking.raise_example(name)
        return "", 204

    @app.get("/crash")
    def crash() -> ResponseReturnValue:
        mistakes.connect()
        return "", 204

    @app.get("/metrics")
    def metrics() -> ResponseReturnValue:
        content_type, body = metrics_response(request.headers.get("Accept", ""))
        return body, {"Content-Type": content_type}

    @app.get("/statistics")
    def statistics() -> ResponseReturnValue:  # of this process; nobody's business outside
        return current_runtime().statistics.snapshot().as_json()


def add_document(app: Flask) -> None:
    """Add the document of this API; it is made once, by who asks first."""

    @cache
    def document() -> dict[str, object]:
        return document_of(service_errors(app))

    app.add_url_rule("/openapi.json", "openapi", document)


def sent() -> dict[str, object]:
    """Return the JSON object the caller sent."""
    return read_object(request.content_type or "", request.get_data())


wsgi = create_app()
asgi = WsgiToAsgi(wsgi)  # type: ignore[no-untyped-call]  # is not annotated
