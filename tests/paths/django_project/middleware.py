"""The innermost middleware: answers errors itself, or sends requests to another urlconf, by address."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

URLCONFS = {
    "/own/": "tests.paths.django_project.own_handlers",
    "/broken/": "tests.paths.django_project.broken_urls",
}


class Mishaps:
    """Does what the address asks for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Choose the urlconf, and go on."""
        for beginning, urlconf in URLCONFS.items():
            if request.path.startswith(beginning):
                request.urlconf = urlconf
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, _: Exception) -> HttpResponse | None:
        """Answer what the view raised."""
        answers = {"/row/answered-with-500": 500, "/row/answered-with-200": 200}
        status = answers.get(request.path)
        return None if status is None else HttpResponse("all is well", status=status)
