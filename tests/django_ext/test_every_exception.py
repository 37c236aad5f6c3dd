"""Every exception class of Django and of Django REST framework has the status of a table."""

import importlib
from functools import cache

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from holdfast_django.conf import DjangoSettings
from holdfast_django.rules import rules_of
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

DJANGO = Table.of(
    """
    django.contrib.admin.exceptions:
        500 AlreadyRegistered NotRegistered
    django.contrib.admin.options:
        500 IncorrectLookupParameters
    django.contrib.admin.utils:
        500 FieldIsAForeignKeyColumnName NotRelationField
    django.contrib.messages.api:
        500 MessageFailure
    django.contrib.sessions.backends.base:
        500 CreateError UpdateError
    django.core.cache.backends.base:
        500 InvalidCacheKey
    django.core.exceptions:
        400 BadRequest+ SuspiciousOperation+ ValidationError
        403 PermissionDenied
        413 RequestDataTooBig
        499 RequestAborted
        500 AppRegistryNotReady EmptyResultSet FieldDoesNotExist FieldError+ FullResultSet
        500 ImproperlyConfigured+ MiddlewareNotUsed MultipleObjectsReturned+ ObjectDoesNotExist+
        500 SynchronousOnlyOperation ViewDoesNotExist
    django.core.files.uploadhandler:
        500 UploadFileException+
    django.core.mail.message:
        500 BadHeaderError
    django.core.management.base:
        500 CommandError+
    django.core.paginator:
        500 InvalidPage+
    django.core.serializers.base:
        500 DeserializationError M2MDeserializationError SerializationError SerializerDoesNotExist
    django.core.serializers.xml_serializer:
        500 DefusedXmlException+
    django.core.signing:
        500 BadSignature+
    django.db.migrations.exceptions:
        500 AmbiguityError BadMigrationError CircularDependencyError InconsistentMigrationHistory
        500 InvalidBasesError InvalidMigrationPlan IrreversibleError NodeNotFoundError
    django.db.models.sql.datastructures:
        500 MultiJoin
    django.db.utils:
        500 Error+
    django.http.multipartparser:
        400 MultiPartParserError
        500 InputStreamExhausted
    django.http.request:
        499 UnreadablePostError
        500 RawPostDataException
    django.http.response:
        404 Http404+
        500 BadHeaderError
    django.middleware.csrf:
        500 InvalidTokenFormat RejectRequest
    django.template.base:
        500 VariableDoesNotExist
    django.template.context:
        500 ContextPopException
    django.template.exceptions:
        500 TemplateDoesNotExist TemplateSyntaxError
    django.template.library:
        500 InvalidTemplateLibrary
    django.template.response:
        500 ContentNotRenderedError
    django.urls.exceptions:
        500 NoReverseMatch
    django.utils.archive:
        500 ArchiveException+
    django.utils.autoreload:
        500 WatchmanUnavailable
    django.utils.connection:
        500 ConnectionDoesNotExist
    django.utils.crypto:
        500 InvalidAlgorithm
    django.utils.datastructures:
        500 MultiValueDictKeyError
    django.utils.encoding:
        500 DjangoUnicodeDecodeError
    django.utils.text:
        500 TruncateHTMLParser.TruncationCompleted
    django.utils.xmlutils:
        500 UnserializableContentError
    django.views.generic:
        500 GenericViewError
    """
)
REST_FRAMEWORK = Table.of(
    """
    rest_framework.exceptions:
        400 ParseError ValidationError
        401 AuthenticationFailed NotAuthenticated
        403 PermissionDenied
        404 NotFound
        405 MethodNotAllowed
        406 NotAcceptable
        415 UnsupportedMediaType
        429 Throttled
        500 APIException+
    rest_framework.fields:
        500 BuiltinSignatureError SkipField
    rest_framework.relations:
        500 ObjectTypeError ObjectValueError
    rest_framework.request:
        500 WrappedAttributeError
    """
)
CONTRIB = (
    "django.contrib.admin.exceptions",
    "django.contrib.admin.options",
    "django.contrib.admin.utils",
    "django.contrib.messages.api",
    "django.contrib.sessions.backends.base",
    "django.contrib.sessions.exceptions",
)
"""Where the applications in `django.contrib` define exceptions; that of maps needs libraries in C."""
WITHOUT = ("django.contrib", "django.test", "rest_framework.authtoken", "rest_framework.test")
"""Modules that are not imported: with models of applications that are not installed, or for tests."""
BUILDERS: Builders = {
    "django.core.exceptions.ValidationError": lambda cls: ValidationError({"sku": ["required"]}),
    "rest_framework.exceptions.MethodNotAllowed": lambda cls: cls("PUT"),
    "rest_framework.exceptions.UnsupportedMediaType": lambda cls: cls("text/plain"),
}
DATABASES = ("django.db",)
"""Whose exceptions mean what the one behind them says."""


def handled() -> Handled:
    """Return a handler with the rules of a project that has all settings left out."""
    return Handled(rules_of(DjangoSettings()))


@cache
def classes(top: str) -> list[type[BaseException]]:
    """Return the exceptions of a library."""
    for _ in modules_of(top, WITHOUT):
        pass
    for name in CONTRIB:
        importlib.import_module(name)
    # Those of models belong to whoever has models; a test of rules has one.
    found = classes_of(frozenset({top}))
    contrib = (*WITHOUT[1:], "django.contrib.gis")
    return [
        cls
        for cls in found
        if "." not in cls.__qualname__ and not cls.__module__.startswith(contrib)
    ]


def test_every_exception_of_django_has_the_status_of_the_table() -> None:
    """A new Django with a new exception fails here, and says what to do."""
    check_all(classes("django"), DJANGO, BUILDERS, handled())


@pytest.mark.extra("rest_framework")
def test_every_exception_of_rest_framework_has_the_status_of_the_table() -> None:
    """A new Django REST framework with a new exception fails here, and says what to do."""
    check_all(classes("rest_framework"), REST_FRAMEWORK, BUILDERS, handled())


@given(data=st.data(), as_cause=st.booleans())
def test_what_is_behind_an_error_does_not_change_its_status(
    *, data: st.DataObject, as_cause: bool
) -> None:
    """An exception is answered as the table says, whatever others it was raised from or during."""
    each = st.builds(instance, st.sampled_from(classes("django")), st.just(BUILDERS))
    head = data.draw(each.filter(lambda error: not type(error).__module__.startswith(DATABASES)))
    others = data.draw(st.lists(each, max_size=4))

    chain = behind(head, others, as_cause=as_cause)

    assert handled().status(chain) == DJANGO.status(type(head))


@given(data=st.data())
def test_a_group_is_answered_as_its_gravest_member(data: st.DataObject) -> None:
    """A group of any exceptions, and of groups, has the status of one of them, none graver."""
    each = st.builds(instance, st.sampled_from(classes("django")), st.just(BUILDERS))

    check_group(data.draw(groups(each)), handled(), handled())
