"""Pages of the catalogue, which the `type` of a problem leads to."""

from flask import Blueprint, Response, current_app, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from holdfast.catalog.pages import Page, Pages, canonical
from holdfast.envelope import prefers_json
from holdfast.errors import ResourceNotFoundError
from holdfast.runtime import Runtime
from holdfast_flask.languages import Languages


def catalog_blueprint(runtime: Runtime, prefix: str) -> Blueprint:
    """Return the list of the codes, at the prefix and a slash, and a page for each below it.

    Args:
        runtime: Whose texts and languages are used.
        prefix: Path of the list, without a slash at its end.
    """
    codes = Blueprint("holdfast_codes", __name__, url_prefix=prefix)
    languages = Languages(runtime.settings)

    def pages() -> Pages:
        headers = request.headers
        return Pages(
            language=languages.choose(headers.get("Accept-Language", "")),
            texts=runtime.texts,
            as_json=prefers_json(headers.get("Accept", "")),
            debug=current_app.debug,
        )

    def index() -> AnyResponse:
        return _respond(pages().index())

    def page(code: str) -> AnyResponse:
        if written := canonical(code):
            return redirect(url_for(".page", code=written), 301)
        found = pages().of(code)
        if found is None:
            raise ResourceNotFoundError("There is no such error code")
        return _respond(found)

    codes.add_url_rule("/", "index", index)
    codes.add_url_rule("/<code>", "page", page)
    return codes


def _respond(found: Page) -> AnyResponse:
    response = Response(found.body, headers=found.headers, content_type=found.content_type)
    response.set_etag(found.etag)
    return response.make_conditional(request)
