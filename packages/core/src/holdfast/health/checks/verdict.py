"""How a check of ours says that its subject is not well."""

from holdfast.health.check import Finding
from holdfast.health.status import HealthStatus


def failed(output: str, **details: object) -> Finding:
    """Return the finding of a check whose subject does not serve.

    Args:
        output: Why, in a sentence.
        details: Facts.

    Example:
        >>> failed("answered with status 500", status=500).status.value
        'fail'
    """
    return Finding(status=HealthStatus.FAIL, output=output, details=details)
