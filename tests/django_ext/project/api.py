"""Views of Django REST framework that fail."""

from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tests.django_ext.project.failures import CANARY, FAILURES


class OutOfOrder(exceptions.APIException):
    """A server error of the framework's own kind, which nobody would hear of."""

    status_code = 503
    default_detail = f"host db-7 is down, key {CANARY}"
    default_code = "out_of_order"


class AlwaysFine(exceptions.APIException):
    """An error that claims to be none."""

    status_code = 200
    default_detail = f"host db-7 is down, key {CANARY}"


class Product(serializers.Serializer[object]):
    """One product."""

    quantity = serializers.IntegerField(min_value=1)


class Trade(serializers.Serializer[object]):
    """A trade with products."""

    products = Product(many=True)
    matrix = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))


class Collection(serializers.Serializer[object]):
    """What a client sends."""

    trade = Trade()


class Failing(APIView):
    """Fails as the address says."""

    def post(self, request: Request, name: str) -> Response:
        """Read the body, and validate it."""
        data: object = request.data
        if name == "invalid":
            Collection(data=data).is_valid(raise_exception=True)
        return Response()

    def get(self, request: Request, name: str) -> Response:
        """Raise."""
        match name:
            case "not-found":
                raise exceptions.NotFound
            case "out-of-order":
                raise OutOfOrder
            case "always-fine":
                raise AlwaysFine
            case "throttled":
                raise exceptions.Throttled(wait=0)
            case "unauthenticated":
                raise exceptions.NotAuthenticated
            case "unserialisable":
                return Response({"value": object()})
            case _:
                FAILURES[name](request)
        return Response()
