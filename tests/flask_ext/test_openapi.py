"""Documents of apispec, flask-smorest and APIFlask; and what these refuse is answered in our shape."""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import marshmallow as ma
import pytest
from apiflask import APIFlask, HTTPError
from apispec import APISpec
from flask import Flask
from flask.views import MethodView
from flask_smorest import Api, Blueprint, abort
from marshmallow import validate
from werkzeug.test import TestResponse

from holdfast import CodeSpec, ErrorCodes, ErrorKind, raises
from holdfast.integrations.apispec import HoldfastPlugin
from holdfast_flask import Holdfast
from holdfast_flask.neighbours import flatten
from holdfast_flask.openapi import path_of, service_errors, view_of
from tests.openapi_documents import Document, assert_valid, at, complaints


class DepotCode(ErrorCodes):
    """Codes of the API under test."""

    DEPOT_CLOSED = CodeSpec(ErrorKind.CONFLICT, "Depot closed")
    DEPOT_FLOODED = CodeSpec(ErrorKind.UNAVAILABLE, "Depot flooded")


class Order(ma.Schema):
    """What is sent and answered."""

    sku = ma.fields.String(required=True)
    quantity = ma.fields.Integer(validate=validate.Range(min=1))


_View = TypeVar("_View")


def under(*decorators: Callable[..., object]) -> Callable[[_View], _View]:
    """Apply decorators, the outermost first, whose types say too little or too much."""

    def decorate(view: _View) -> _View:
        made: object = view
        for decorator in reversed(decorators):
            made = decorator(made)
        return cast("_View", made)

    return decorate


def configured(app: Flask) -> None:
    """Give an application what all of these need."""
    app.config.from_mapping(
        HOLDFAST_REPORTERS=[],
        API_TITLE="Depot",
        API_VERSION="1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
    )


def with_smorest() -> Flask:
    """Return an application of flask-smorest."""
    app = Flask("tests.flask_ext.smorest")
    configured(app)
    api: Any = Api(app, spec_kwargs={"extra_plugins": [HoldfastPlugin(service_errors(app))]})
    Holdfast(app)
    orders: Any = Blueprint("orders", "orders")

    @under(
        raises(DepotCode.DEPOT_CLOSED),
        orders.route("/orders/<int:order_id>", methods=["POST"]),
        orders.arguments(Order),
        orders.response(201, Order),
        raises(DepotCode.DEPOT_FLOODED),
    )
    def place(data: object, order_id: int) -> object:
        if order_id == 2:
            abort(409, message="Closed today", errors={"json": {"sku": ["not here"]}})
        if order_id == 3:
            abort(410, message="Gone", headers={"X-Depot": "south"})
        if order_id == 5:
            abort(500, message="postgres://secret")
        return data

    @under(raises(DepotCode.DEPOT_FLOODED), orders.route("/depots/<name>"))
    class Depot(MethodView):
        """Declares for its methods as well."""

        @under(raises(404), orders.alt_response(409, description="Ours"))
        def get(self, name: str) -> object:
            return {}

        @under(orders.arguments(Order, location="query"))
        def put(self, query: object, name: str) -> object:
            return {}

    api.register_blueprint(orders)
    return app


def with_apiflask() -> Flask:
    """Return an application of APIFlask."""
    app = APIFlask("tests.flask_ext.apiflask", title="Depot", version="1")
    configured(app)
    Holdfast(app)
    api: Any = app
    app.spec_plugins.append(HoldfastPlugin(service_errors(app)))

    @under(
        raises(DepotCode.DEPOT_CLOSED),
        api.post("/orders/<int:order_id>"),
        api.input(Order),
        api.output(Order, status_code=201),
        raises(DepotCode.DEPOT_FLOODED),
    )
    def place(order_id: int, json_data: object) -> object:
        if order_id == 2:
            raise HTTPError(409, "Closed today", detail={"json": {"sku": ["not here"]}})
        if order_id == 3:
            raise HTTPError(410, "Gone", headers={"X-Depot": "south"}, extra_data={"since": 1999})
        if order_id == 5:
            raise HTTPError(500, "postgres://secret")
        return json_data

    @under(raises(DepotCode.DEPOT_FLOODED))
    class Depot(MethodView):
        """Declares for its methods as well."""

        @under(raises(404), api.doc(responses={409: {"description": "Ours"}}))
        def get(self, name: str) -> object:
            return {}

        @under(api.input(Order, location="query"))
        def put(self, name: str, query_data: object) -> object:
            return {}

    app.add_url_rule("/depots/<name>", view_func=Depot.as_view("depot"))
    return app


MADE: dict[str, Callable[[], Flask]] = {"flask-smorest": with_smorest, "APIFlask": with_apiflask}


@pytest.fixture(params=list(MADE))
def app(request: pytest.FixtureRequest) -> Flask:
    """Give an application of each library."""
    return MADE[str(request.param)]()


@pytest.fixture
def document(app: Flask) -> Document:
    """Give the document that it serves."""
    return cast("Document", app.test_client().get("/openapi.json").json)


Codes: TypeAlias = dict[str, list[str]]


def codes(document: Document, path: str, method: str) -> Codes:
    """Return the codes of an operation by status, from its examples."""
    responses = ("paths", path, method, "responses")
    examples = ("content", "application/json", "examples")
    return {
        status: [*at(document, *responses, status, *examples)]
        for status in at(document, *responses)
        if status[0] in "45"
    }


def test_the_documents_are_valid(document: Document) -> None:
    """Every example in them is what it is an example of, too."""
    assert_valid(document)


def test_a_function_declares_beside_what_the_library_adds(document: Document) -> None:
    """What it adds for arguments by itself has our body."""
    found = codes(document, "/orders/{order_id}", "post")

    found.pop("404", None)  # which APIFlask adds wherever there is a parameter
    assert found == {
        "409": ["DEPOT_CLOSED"],
        "422": ["VALIDATION_FAILED"],
        "503": ["DEPOT_FLOODED"],
    }


def test_a_class_declares_for_its_methods_and_a_method_for_itself(document: Document) -> None:
    """And what the project says of a status stays."""
    get = codes(document, "/depots/{name}", "get")
    put = codes(document, "/depots/{name}", "put")

    assert get == {"404": ["RESOURCE_NOT_FOUND"], "409": [], "503": ["DEPOT_FLOODED"]}
    assert put["503"] == ["DEPOT_FLOODED"]
    assert put["422"] == ["VALIDATION_FAILED"]
    said = at(document, "paths", "/depots/{name}", "get", "responses", "409")
    assert said["description"] == "Ours"


def test_no_operation_describes_bodies_that_nobody_answers(document: Document) -> None:
    """None of the libraries' own schemas is left in a response."""
    paths = str(document["paths"])

    assert "schemas/HTTPError" not in paths
    assert "schemas/ValidationError" not in paths
    assert "DEFAULT_ERROR" not in paths
    assert "UNPROCESSABLE_ENTITY" not in paths


def place(
    app: Flask, order_id: int, body: bytes = b'{"sku": "a"}', accept: str = ""
) -> TestResponse:
    """Send an order."""
    headers = {"Accept": accept or "application/json"}
    address = f"/orders/{order_id}"
    return app.test_client().post(
        address, data=body, content_type="application/json", headers=headers
    )


@pytest.mark.parametrize("accept", ["application/json", "application/problem+json"])
@pytest.mark.parametrize(
    ("order_id", "body", "code"),
    [
        (1, b'{"quantity": 0}', "VALIDATION_FAILED"),
        (1, b"{", "MALFORMED_JSON"),
        (3, b'{"sku": "a"}', "RESOURCE_GONE"),
        (5, b'{"sku": "a"}', "INTERNAL_ERROR"),
    ],
)
def test_what_the_library_refuses_is_what_the_document_says(  # as many facts
    app: Flask, document: Document, order_id: int, body: bytes, code: str, accept: str
) -> None:
    """The body is ours in both formats, whoever noticed the error."""
    answer = place(app, order_id, body, accept)

    said = cast("dict[str, object]", answer.json)
    assert said.get("code", at(said, "except").get("code")) == code
    found = complaints(document, "/orders/{order_id}", "post", answer.status_code, accept, said)
    assert found == []
    assert b"postgres" not in answer.data


def test_wrong_fields_are_named_by_their_path(app: Flask) -> None:
    """As for any other validation, in details and in sentences."""
    answer = place(app, 1, b'{"quantity": 0}')

    said = cast("Document", answer.json)
    assert answer.status_code == 422
    assert at(said, "except", "details", "field_errors").keys() == {"sku", "quantity"}
    assert "sku: Missing data for required field." in cast("list[str]", said["errors"])


def test_what_a_view_says_as_it_aborts_comes_out(app: Flask) -> None:
    """Message, status, code of the status, and headers."""
    closed, gone = place(app, 2), place(app, 3)

    assert (closed.status_code, gone.status_code) == (409, 410)
    assert cast("Document", closed.json)["message"] == "Closed today"
    assert at(cast("Document", closed.json), "except")["code"] == "STATE_CONFLICT"
    assert cast("Document", gone.json)["message"] == "Gone"
    assert gone.headers["X-Depot"] == "south"


def test_fields_that_an_abort_names_are_kept() -> None:
    """Whatever the status."""
    said = cast("Document", place(with_smorest(), 2).json)

    assert said["errors"] == ["sku: not here"]
    assert at(said, "except", "details") == {"field_errors": {"sku": ["not here"]}}


def test_details_of_an_error_of_apiflask_are_kept() -> None:
    """Those in `detail`, and those beside it."""
    app = with_apiflask()

    closed, gone = (cast("Document", place(app, order_id).json) for order_id in (2, 3))

    assert at(closed, "except", "details") == {"json": {"sku": ["not here"]}}
    assert at(gone, "except", "details") == {"since": 1999}


def test_a_projects_own_error_processor_goes_on_answering() -> None:
    """Who has told APIFlask how its errors look gets what was asked for."""
    app = APIFlask("tests.flask_ext.own")
    configured(app)

    api: Any = app

    def own(error: HTTPError) -> tuple[dict[str, object], int]:
        return {"own": error.message}, error.status_code

    @under(api.get("/closed"))
    def closed() -> object:  # pyright: ignore[reportUnusedFunction]  # the application calls it
        raise HTTPError(409, "Closed")

    api.error_processor(own)
    Holdfast(app)

    assert app.test_client().get("/closed").json == {"own": "Closed"}


def test_apispec_alone_is_told_the_view() -> None:
    """With `spec.path(view=…)`, and for methods that are told apart."""
    app = Flask("tests.flask_ext.plain")

    @raises(DepotCode.DEPOT_CLOSED)
    def view() -> str:
        return ""

    spec: Any = APISpec("Depot", "1", "3.0.3", plugins=[HoldfastPlugin(service_errors(app))])
    spec.path("/a", operations={"get": {"responses": {200: {"description": "ok"}}}}, view=view)
    spec.path("/b", operations={"get": {}, "x-note": {}})
    document = cast("Document", spec.to_dict())

    assert_valid({**document, "paths": {"/a": at(document, "paths", "/a")}})
    assert codes(document, "/a", "get") == {"409": ["DEPOT_CLOSED"]}
    assert [*at(document, "paths", "/b", "get", "responses")] == ["default"]
    assert at(document, "paths", "/b", "x-note") == {}


def test_the_settings_of_an_application_decide_what_is_described() -> None:
    """Read from its config, before it is connected or after."""
    app = Flask("tests.flask_ext.settings")
    app.config["HOLDFAST_RESPONSE_FORMAT"] = "problem"
    app.config["HOLDFAST_CATALOG_PREFIX"] = "/errors"

    service = service_errors(app)

    assert [form.value for form in service.formats] == ["application/problem+json"]
    assert service.type_of("TOKEN_EXPIRED") == "/errors/TOKEN_EXPIRED"


@pytest.mark.parametrize("root", ["/depot x", "/depot x/"])
def test_a_page_of_codes_is_below_where_the_application_is_mounted(root: str) -> None:
    """What a document shows is what an answer says, if `APPLICATION_ROOT` is told."""
    app = Flask("depot")
    configured(app)
    app.config.from_mapping(
        APPLICATION_ROOT=root, HOLDFAST_RESPONSE_FORMAT="problem", HOLDFAST_CATALOG_PREFIX="/errors"
    )
    service = service_errors(app)
    Holdfast(app)

    answer = app.test_client().get("/nowhere").json

    assert answer is not None
    assert answer["type"] == service.type_of(answer["code"])
    assert answer["type"].startswith("/depot%20x/errors/")


def test_a_view_is_found_by_path_and_method() -> None:
    """As documents write them; None when there is none such."""
    app = with_smorest()

    found = view_of(app, "/orders/{order_id}", "POST")

    assert found is not None
    assert found.__name__ == "place"
    assert view_of(app, "/orders/{order_id}", "GET") is None
    assert view_of(app, "/nowhere", "GET") is None
    assert path_of("/a/<any(x,y):kind>/<uuid:id>") == "/a/{kind}/{id}"


def test_messages_deep_in_a_structure_are_found_and_end_somewhere() -> None:
    """Lists, indices and whole objects have paths; what is nested without end does not go on."""
    endless: dict[object, object] = {}
    endless["a"] = endless

    assert [*flatten({"json": {"lines": {0: {"_schema": ["No."]}}}})] == [("lines[0]", "No.")]
    assert [*flatten("text")] == [("", "text")]
    assert [*flatten(endless)] == []  # type: ignore[arg-type]  # made so on purpose
