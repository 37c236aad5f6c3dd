"""The codes that ship with the suite."""

from typing import Final

from holdfast.codes.details import Detail
from holdfast.codes.spec import CodeSpec, ErrorCodes
from holdfast.kinds import ErrorKind, Severity

_QUOTE: Final = "Quote the trace id to the operators; sending it again will not help."
_LATER: Final = (
    "Try again after `retry_after` seconds, or in a few minutes, and less often each time."
)
_LOOK: Final = "Find out whether it was done before you send it again, or send an idempotency key."
_CORRECT: Final = "Correct the request; the same one will be refused again."


class ErrorCode(ErrorCodes):
    """The codes that ship with the suite."""

    VALIDATION_FAILED = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Validation failed",
        description="Fields of the request are missing or wrong.",
        advice="Correct the fields that `details.field_errors` names, and send the request again.",
        carries={"field_errors": Detail(dict[str, list[str]], "What is wrong, by path of field")},
    )
    INVALID_REQUEST_DATA = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Invalid request data",
        description="The request cannot be understood.",
        advice=_CORRECT,
    )
    MALFORMED_JSON = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Malformed JSON",
        description="The body is not valid JSON.",
        advice="Send a body that a JSON parser accepts, encoded as UTF-8.",
        carries={
            "line": Detail(int, "Line of the first mistake, from 1"),
            "column": Detail(int, "Its column, from 1"),
        },
    )
    METHOD_NOT_ALLOWED = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Method not allowed",
        status=405,
        description="The address exists, but not for this method.",
        advice="Use one of the methods that the header `Allow` lists.",
    )
    NOT_ACCEPTABLE = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Not acceptable",
        status=406,
        description="None of the formats in `Accept` can be produced.",
        advice="Accept `application/json`, or leave `Accept` out.",
    )
    PRECONDITION_FAILED = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Precondition failed",
        status=412,
        description="The resource changed since the version named in the request.",
        advice="Fetch the present version, apply your change to it, and send that.",
    )
    PAYLOAD_TOO_LARGE = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Payload too large",
        status=413,
        description="The body is larger than this service accepts.",
        advice="Send less at once.",
    )
    UNSUPPORTED_MEDIA_TYPE = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Unsupported media type",
        status=415,
        description="The body's Content-Type is not one this address reads.",
        advice="Send the body in another format, and name that in `Content-Type`.",
    )
    UNAUTHORIZED = CodeSpec(
        ErrorKind.UNAUTHENTICATED,
        "Authentication required",
        description="Credentials are missing or not valid.",
        advice="Send valid credentials; the header `WWW-Authenticate`, where there is one, says of which kind.",
    )
    TOKEN_EXPIRED = CodeSpec(
        ErrorKind.UNAUTHENTICATED,
        "Token expired",
        description="The credentials were valid, and are too old.",
        advice="Sign in again or refresh the token.",
    )
    INSUFFICIENT_PERMISSIONS = CodeSpec(
        ErrorKind.PERMISSION_DENIED,
        "Insufficient permissions",
        description="The caller is known but may not do this.",
        advice="Ask for the permission, or sign in as somebody who has it.",
    )
    CSRF_FAILED = CodeSpec(
        ErrorKind.PERMISSION_DENIED,
        "CSRF verification failed",
        description="The form's token is missing or stale.",
        advice="Load the page again and send the form once more, with cookies allowed.",
    )
    RESOURCE_NOT_FOUND = CodeSpec(
        ErrorKind.NOT_FOUND,
        "Resource not found",
        description="Nothing is at this address, or nothing that the caller may see.",
        advice="Check the address and the identifiers in it.",
    )
    RESOURCE_GONE = CodeSpec(
        ErrorKind.NOT_FOUND,
        "Resource gone",
        status=410,
        description="It was here and will not come back.",
        advice="Forget the address.",
    )
    STATE_CONFLICT = CodeSpec(
        ErrorKind.CONFLICT,
        "State conflict",
        description="The resource's present state does not allow this.",
        advice="Fetch the present state and decide again.",
    )
    INVALID_STATE_TRANSITION = CodeSpec(
        ErrorKind.CONFLICT,
        "State transition not allowed",
        raised_as="WorkflowError",
        description="The resource cannot go from its present state to the requested one.",
        advice="Ask for one of the allowed transitions, or fetch the present state and decide again.",
        carries={
            "current_state": Detail(str, "The state it is in"),
            "requested_state": Detail(str, "The state that was asked for"),
            "allowed_transitions": Detail(list[str], "The states it can go to"),
        },
    )
    BUSINESS_RULE_VIOLATION = CodeSpec(
        ErrorKind.UNPROCESSABLE,
        "Data cannot be processed",
        description="The request is well formed but breaks a rule of the business.",
        advice="Change what the message names; the same request will be refused again.",
    )
    RATE_LIMIT_EXCEEDED = CodeSpec(
        ErrorKind.RATE_LIMITED,
        "Too many requests",
        description="The caller has sent more requests than it may.",
        advice="Wait `retry_after` seconds, and send fewer requests.",
    )
    CLIENT_CLOSED_REQUEST = CodeSpec(
        ErrorKind.CANCELLED,
        "Client closed the request",
        description="The caller left before the answer.",
        advice="Allow the request more time; find out whether it was done before you send it again.",
    )
    INTERNAL_ERROR = CodeSpec(
        ErrorKind.INTERNAL,
        "Internal server error",
        description="An unexpected error.",
        advice=_QUOTE,
    )
    UNEXPLAINED_RESPONSE = CodeSpec(
        ErrorKind.INTERNAL,
        "Internal server error",
        raised_as="UnexplainedResponseError",
        description="A response with a server error's status for which no error was seen.",
        advice=_QUOTE,
    )
    DATABASE_ERROR = CodeSpec(
        ErrorKind.INTERNAL,
        "Database error",
        raised_as="DatabaseError",
        category="DATABASE",
        description="The database refused a statement.",
        advice=_QUOTE,
    )
    FOREIGN_KEY_CONSTRAINT = CodeSpec(
        ErrorKind.CONFLICT,
        "Database error",
        raised_as="DatabaseError",
        category="DATABASE",
        description="A row that this one refers to does not exist, or is still referred to.",
        advice="Create what is referred to first, or remove what refers to it.",
    )
    UNIQUE_CONSTRAINT = CodeSpec(
        ErrorKind.CONFLICT,
        "Already exists",
        raised_as="DatabaseError",
        category="DATABASE",
        description="Another row has the same value where it must be unique.",
        advice="Use another value, or change the resource that has it.",
    )
    NOT_NULL_CONSTRAINT = CodeSpec(
        ErrorKind.CONFLICT,
        "Value required",
        raised_as="DatabaseError",
        category="DATABASE",
        description="A required value is missing.",
        advice="Send the value.",
    )
    CHECK_CONSTRAINT = CodeSpec(
        ErrorKind.CONFLICT,
        "Value not allowed",
        raised_as="DatabaseError",
        category="DATABASE",
        description="A value breaks a rule of the table.",
        advice=_CORRECT,
    )
    DB_CONNECTION_ERROR = CodeSpec(
        ErrorKind.UNAVAILABLE,
        "Database unavailable",
        raised_as="DatabaseError",
        category="DATABASE",
        description="The database cannot be reached.",
        advice=_LATER,
    )
    DEPENDENCY_FAILED = CodeSpec(
        ErrorKind.DEPENDENCY_FAILED,
        "A service this one depends on failed",
        description="The other side answered, and wrongly.",
        advice="Try again in a few minutes; quote the trace id to the operators when it stays.",
    )
    SERVICE_UNAVAILABLE = CodeSpec(
        ErrorKind.UNAVAILABLE,
        "Service temporarily unavailable",
        description="This service, or one that it needs, is out of order for the moment.",
        advice=_LATER,
    )
    COMMUNICATION_ERROR = CodeSpec(
        ErrorKind.UNAVAILABLE,
        "Service temporarily unavailable",
        raised_as="CommunicationError",
        category="NETWORK",
        description="Another service cannot be reached.",
        advice=_LATER,
    )
    NATS_SERVICE_UNAVAILABLE = CodeSpec(
        ErrorKind.UNAVAILABLE,
        "Service temporarily unavailable",
        raised_as="CommunicationError",
        category="NETWORK",
        description="A service behind NATS does not answer.",
        advice=_LATER,
    )
    CIRCUIT_OPEN = CodeSpec(
        ErrorKind.UNAVAILABLE,
        "Service temporarily unavailable",
        raised_as="CircuitOpenError",
        description="Calls to a failing service are suspended; this one was not made.",
        advice=_LATER,
    )
    BULKHEAD_FULL = CodeSpec(
        ErrorKind.UNAVAILABLE,
        "Service temporarily unavailable",
        raised_as="BulkheadFullError",
        description="Too many calls to one service are in progress; this one was not made.",
        advice=_LATER,
    )
    CALL_RATE_EXCEEDED = CodeSpec(
        ErrorKind.UNAVAILABLE,
        "Service temporarily unavailable",
        raised_as="CallRateError",
        description="Calls to one service are limited to a rate; this one was not made.",
        advice=_LATER,
    )
    DEADLINE_EXCEEDED = CodeSpec(
        ErrorKind.TIMED_OUT,
        "Took too long",
        description="No answer came within the time allowed; the work may or may not be done.",
        advice=_LOOK,
    )
    PROCESS_CRASHED = CodeSpec(
        ErrorKind.INTERNAL,
        "Internal server error",
        severity=Severity.CRITICAL,
        category="PROCESS",
        description="A process died without a chance to say why: a fatal signal, no memory, or an exit in the middle.",
        advice=_QUOTE,
    )
    UNEXPLAINED_FAILURE = CodeSpec(
        ErrorKind.INTERNAL,
        "Internal server error",
        category="PROCESS",
        description="A task or a process failed and no error was seen.",
        advice=_QUOTE,
    )
    TASK_LOST = CodeSpec(
        ErrorKind.INTERNAL,
        "Task failed",
        severity=Severity.CRITICAL,
        category="TASK",
        description="The process that ran a task died; the work may or may not be done.",
        advice=_LOOK,
    )
    TASK_TIMED_OUT = CodeSpec(
        ErrorKind.TIMED_OUT,
        "Took too long",
        transient=False,  # it would take as long again
        severity=Severity.ERROR,
        category="TASK",
        description="A task ran longer than it may and was stopped; the work may or may not be done.",
        advice=_LOOK,
    )
    TASK_REJECTED = CodeSpec(
        ErrorKind.INTERNAL,
        "Task failed",
        category="TASK",
        description="A task or its message was rejected and will not be tried again.",
        advice=_QUOTE,
    )
    TASK_UNKNOWN = CodeSpec(
        ErrorKind.INTERNAL,
        "Task failed",
        category="TASK",
        description="No worker knows a task of this name: sender and worker run different versions.",
        advice=_QUOTE,
    )
    TASK_EXPIRED = CodeSpec(
        ErrorKind.TIMED_OUT,
        "Took too long",
        transient=False,  # its time stays over
        category="TASK",
        description="A task was still waiting when its time was over; nothing was done.",
        advice="Ask for it again if it is still wanted.",
    )
    TASK_REVOKED = CodeSpec(
        ErrorKind.CANCELLED,
        "Task cancelled",
        severity=Severity.INFO,
        category="TASK",
        description="A task was revoked before or while it ran.",
        advice="Ask for it again if it is still wanted.",
    )
    TASK_RETRIES_EXHAUSTED = CodeSpec(
        ErrorKind.INTERNAL,
        "Task failed",
        category="TASK",
        description="A task asked to be tried again more often than it may.",
        advice=_QUOTE,
    )
    JOB_FAILED = CodeSpec(
        ErrorKind.INTERNAL,
        "Job failed",
        category="JOB",
        description="A command ended with an exit status other than 0.",
        advice=_QUOTE,
        carries={
            "exit_status": Detail(int, "How it ended"),
            "signal": Detail(str, "What stopped it"),
            "output": Detail(str, "The end of what it wrote"),
        },
    )
    JOB_TIMED_OUT = CodeSpec(
        ErrorKind.TIMED_OUT,
        "Took too long",
        transient=False,  # it would take as long again
        severity=Severity.ERROR,
        category="JOB",
        description="A job ran longer than it may and was stopped; the work may or may not be done.",
        advice=_LOOK,
        carries={"within": Detail(float, "Seconds that it may take")},
    )
    JOB_LOCKED = CodeSpec(
        ErrorKind.CONFLICT,
        "Job is running already",
        transient=True,
        category="JOB",
        description="The run before has not ended; nothing was done.",
        advice="Wait for the run before to end.",
        carries={"holder": Detail(dict[str, object], "What is known of the run before")},
    )
