"""Every exception class of werkzeug, Flask and click has the status of a table."""

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from holdfast_flask.rules import click_rules, werkzeug_rules
from tests.exceptions import (
    Builders,
    Handled,
    Table,
    behind,
    check_all,
    check_group,
    classes_of,
    groups,
    instance,
    modules_of,
)

TABLE = Table.of(
    """
    werkzeug.exceptions:
        400 BadRequest+
        401 Unauthorized
        403 Forbidden
        404 NotFound
        405 MethodNotAllowed
        406 NotAcceptable
        408 RequestTimeout
        409 Conflict
        410 Gone
        411 LengthRequired
        412 PreconditionFailed
        413 RequestEntityTooLarge
        414 RequestURITooLarge
        415 UnsupportedMediaType
        416 RequestedRangeNotSatisfiable
        417 ExpectationFailed
        418 ImATeapot
        421 MisdirectedRequest
        422 UnprocessableEntity
        423 Locked
        424 FailedDependency
        428 PreconditionRequired
        429 TooManyRequests
        431 RequestHeaderFieldsTooLarge
        451 UnavailableForLegalReasons
        500 HTTPException+
        501 NotImplemented
        502 BadGateway
        503 ServiceUnavailable
        504 GatewayTimeout
        505 HTTPVersionNotSupported
    werkzeug.routing.converters:
        500 ValidationError
    werkzeug.routing.exceptions:
        500 NoMatch RoutingException+
    werkzeug.routing.matcher:
        500 SlashRequired
    werkzeug.test:
        500 ClientRedirectError
    werkzeug.utils:
        500 ImportStringError
    flask.cli:
        500 NoAppException
    flask.debughelpers:
        500 DebugFilesKeyError FormDataRoutingRedirect UnexpectedUnicodeError
    click.exceptions:
        500 Abort ClickException+ Exit
    """
)
LIBRARIES = ("click", "flask", "werkzeug")
BUILDERS: Builders = {}


def handled() -> Handled:
    """Return a handler with the rules of the adapter."""
    return Handled([*werkzeug_rules(), *click_rules()])


@cache
def classes() -> list[type[BaseException]]:
    """Return the exceptions of the libraries."""
    for top in LIBRARIES:
        for _ in modules_of(top):
            pass
    return classes_of(frozenset(LIBRARIES))


def test_every_exception_of_werkzeug_flask_and_click_has_the_status_of_the_table() -> None:
    """A library with a new exception fails here, and says what to do."""
    check_all(classes(), TABLE, BUILDERS, handled())


@given(data=st.data(), as_cause=st.booleans())
def test_what_is_behind_an_error_does_not_change_its_status(
    *, data: st.DataObject, as_cause: bool
) -> None:
    """An exception is answered as the table says, whatever others it was raised from or during."""
    each = st.builds(instance, st.sampled_from(classes()), st.just(BUILDERS))
    head, others = data.draw(each), data.draw(st.lists(each, max_size=4))

    chain = behind(head, others, as_cause=as_cause)

    assert handled().status(chain) == TABLE.status(type(head))


@given(data=st.data())
def test_a_group_is_answered_as_its_gravest_member(data: st.DataObject) -> None:
    """A group of any exceptions, and of groups, has the status of one of them, none graver."""
    each = st.builds(instance, st.sampled_from(classes()), st.just(BUILDERS))

    check_group(data.draw(groups(each)), handled(), handled())
