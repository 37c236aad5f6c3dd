"""Who may see what. The tokens are made up, and short enough to type."""

from enum import StrEnum

from holdfast import AuthenticationError, AuthorizationError, ErrorCode


class Role(StrEnum):
    """What somebody may do."""

    CLERK = "clerk"
    MANAGER = "manager"


_ROLES = {"Bearer clerk": Role.CLERK, "Bearer manager": Role.MANAGER}
_EXPIRED = {"Bearer yesterday"}

ACCESS_ERRORS = (AuthenticationError, ErrorCode.TOKEN_EXPIRED, AuthorizationError)
"""How somebody may be turned away."""


def require(role: Role, authorization: str) -> None:
    """Let only a role pass.

    Args:
        role: Who may pass.
        authorization: The request's header of that name; empty when there is none.
    """
    if authorization in _EXPIRED:
        raise AuthenticationError(
            ErrorCode.TOKEN_EXPIRED,
            "Your token has expired",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )
    found = _ROLES.get(authorization)
    if found is None:
        raise AuthenticationError("A token is required", headers={"WWW-Authenticate": "Bearer"})
    if found is not role:
        raise AuthorizationError(
            f"A {found} may not do this", details={"role": found.value, "required": role.value}
        )
