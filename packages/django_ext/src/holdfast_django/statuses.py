"""Which statuses an error's answer may have."""

from holdfast.codes import is_failure
from holdfast.statuses import SERVER_ERROR


def failing(status: object) -> int:
    """Return a status when it is one of an error, else 500.

    Example:
        >>> failing(404), failing(200), failing(1000), failing(None)
        (404, 500, 500, 500)
    """
    number = int(status) if isinstance(status, int) else 0  # plain, where it was an `HTTPStatus`
    return number if is_failure(number) else SERVER_ERROR
