"""Whose request it is, as far as somebody has asked already."""

from contextlib import suppress

from django.http import HttpRequest
from django.utils.functional import LazyObject, empty


def known_user(request: HttpRequest) -> str:
    """Return the id of the user of a request; empty when nobody has asked for it, or nobody is logged in.

    `request.user` is lazy: asking would query the session and the database, which asynchronous code
    must not, and which may be what is broken.
    """
    facts = vars(request)
    for name in ("user", "_cached_user", "_acached_user"):
        user: object = facts.get(name)
        if isinstance(user, LazyObject):
            wrapped: object = vars(user).get("_wrapped", empty)
            user = None if wrapped is empty else wrapped
        with suppress(Exception):  # a project's own class
            pk: object = getattr(user, "pk", None)
            if pk is not None:
                return str(pk)
    return ""
