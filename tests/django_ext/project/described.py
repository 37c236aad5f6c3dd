"""An API of Django REST framework that declares what it answers with; an urlconf of its own."""

from collections.abc import Callable, Sequence
from typing import cast

from django.contrib.contenttypes.models import ContentType
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.utils import OpenApiResponse, extend_schema  # pyright: ignore[reportUnknownVariableType]  # takes serializers of anything
from rest_framework import generics, pagination, permissions, serializers, throttling, viewsets
from rest_framework.authentication import (
    BaseAuthentication,
    SessionAuthentication,
)
from rest_framework.decorators import (
    action,
    api_view,
    authentication_classes,
    permission_classes,
    throttle_classes,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from holdfast import AppError, CodeSpec, ErrorCodes, ErrorKind, raises
from holdfast.codes import Detail


class StoreCode(ErrorCodes):
    """Codes of the API."""

    CARRIER_AWAY = CodeSpec(ErrorKind.UNAVAILABLE, "Carrier away")
    SLOT_TAKEN = CodeSpec(
        ErrorKind.CONFLICT,
        "Slot taken",
        advice="Choose another.",
        carries={"free": Detail(list[str] | None, "Slots that are free")},
    )


class SoldOut(AppError):
    """Nothing is left."""

    code = "STORE_SOLD_OUT"
    kind = ErrorKind.CONFLICT
    title = "Sold out"


class Article(serializers.Serializer[object]):
    """What a client sends and gets."""

    sku = serializers.CharField()
    quantity = serializers.IntegerField(min_value=1)


class Kind(serializers.Serializer[ContentType]):
    """What a list shows."""

    model = serializers.CharField()


class Anonymous(APIView):
    """Asks nobody who they are."""

    authentication_classes: Sequence[type[BaseAuthentication]] = ()
    permission_classes: Sequence[type[permissions.BasePermission]] = [permissions.AllowAny]  # pyright: ignore[reportIncompatibleVariableOverride]  # is read
    serializer_class = Article


class Rarely(throttling.BaseThrottle):
    """Lets everything pass."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Say so."""
        return True


class Owner(permissions.BasePermission):
    """Lets nobody pass."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say so."""
        return False


class Open(Anonymous):
    """Takes no parameters, no credentials and no body."""

    def get(self, request: Request) -> Response:
        """Answer."""
        return Response({"sku": "SKU-1", "quantity": 1})


@raises(StoreCode.CARRIER_AWAY)
class Orders(Open):
    """Takes orders."""

    @raises(SoldOut, StoreCode.SLOT_TAKEN)
    def post(self, request: Request) -> Response:
        """Take an order."""
        sent = Article(data=cast("object", request.data))  # pyright: ignore[reportUnknownMemberType]  # of anything
        sent.is_valid(raise_exception=True)
        if request.query_params:
            raise (
                SoldOut("none left")
                if "sold" in request.query_params
                else AppError(StoreCode.SLOT_TAKEN, "no", details={"free": None})
            )
        return Response(status=201)


class Inherits(Orders):
    """Declares nothing, and has what it inherits."""


class SaysItself(Open):
    """Says of a status itself what it means."""

    @extend_schema(responses={200: Article, 409: OpenApiResponse(description="Ours")})
    @raises(SoldOut, 410)
    def get(self, request: Request) -> Response:
        """Answer."""
        return Response()


class Signed(APIView):
    """Is for who signed in."""

    serializer_class = Article
    permission_classes: Sequence[type[permissions.BasePermission]] = [permissions.IsAuthenticated]  # pyright: ignore[reportIncompatibleVariableOverride]  # is read

    def get(self, request: Request, sku: str) -> Response:
        """Answer."""
        return Response()


class Session(Signed):
    """Cannot challenge."""

    authentication_classes = (SessionAuthentication,)


class Owned(Signed):
    """Is for some of them."""

    permission_classes = (Owner,)
    throttle_classes = (Rarely,)


class Closed(Open):
    """Asks nobody who they are, and lets nobody pass."""

    permission_classes = (Owner,)


class ReadOnly(Signed):
    """May be read by all."""

    authentication_classes = (SessionAuthentication,)
    permission_classes = (permissions.IsAuthenticatedOrReadOnly,)

    def put(self, request: Request, sku: str) -> Response:
        """Answer."""
        return Response()


class Pages(generics.ListAPIView[ContentType]):
    """Comes in pages."""

    authentication_classes = ()
    permission_classes = (permissions.AllowAny,)
    serializer_class = Kind
    pagination_class = pagination.PageNumberPagination
    queryset = ContentType.objects.order_by("pk")


@raises(503)
class Articles(viewsets.ViewSet):
    """A view set."""

    authentication_classes = ()
    permission_classes = (permissions.AllowAny,)
    serializer_class = Article

    @raises(StoreCode.SLOT_TAKEN)
    def list(self, request: Request) -> Response:
        """Answer."""
        return Response([])

    @raises(SoldOut)
    @action(detail=False, methods=["post"])
    def reserve(self, request: Request) -> Response:
        """Answer."""
        return Response()

    @action(detail=False, methods=["post"])
    @raises(StoreCode.SLOT_TAKEN)
    def release(self, request: Request) -> Response:
        """Answer."""
        return Response()


def function(*decorators: Callable[..., object]) -> Callable[..., HttpResponse]:
    """Return a view made of a function, with decorators in a given order, the outermost first."""

    def view(request: Request) -> Response:
        return Response()

    made: object = view
    for decorate in reversed(decorators):
        made = decorate(made)
    return cast("Callable[..., HttpResponse]", made)


ANYBODY = (authentication_classes([]), permission_classes([]))
KNOWN: Callable[..., object] = extend_schema(request=Article, responses=Article)
router = SimpleRouter(trailing_slash=False)
router.register("articles", Articles, basename="articles")

urlpatterns: list[URLPattern | URLResolver] = [
    path("open", Open.as_view()),
    path("orders", Orders.as_view()),
    path("inherits", Inherits.as_view()),
    path("says-itself", SaysItself.as_view()),
    path("signed/<str:sku>", Signed.as_view()),
    path("session/<str:sku>", Session.as_view()),
    path("owned/<str:sku>", Owned.as_view()),
    path("read-only/<str:sku>", ReadOnly.as_view()),
    path("closed", Closed.as_view()),
    path("pages", Pages.as_view()),
    path("", include(router.urls)),
]
FUNCTIONS: dict[str, tuple[Callable[..., object], ...]] = {
    "above": (raises(SoldOut), KNOWN, api_view(["POST"]), *ANYBODY),
    "between": (KNOWN, raises(SoldOut), api_view(["POST"]), *ANYBODY),
    "below": (KNOWN, api_view(["POST"]), raises(SoldOut), *ANYBODY),
    "innermost": (KNOWN, api_view(["POST"]), *ANYBODY, raises(SoldOut)),
    "stacked": (
        raises("RATE_LIMIT_EXCEEDED"),
        KNOWN,
        api_view(["POST"]),
        throttle_classes([Rarely]),
        *ANYBODY,
        raises(SoldOut),
    ),
}
urlpatterns += [path(name, function(*decorators)) for name, decorators in FUNCTIONS.items()]
