"""Errors of jobs: of commands that cron starts, and of functions and blocks in a script."""

from tests.paths.row import Row

CRON = ("cron command",)
SCRIPT = ("script",)

_RUN = "`holdfast run`"
_JOB = "`holdfast.job`"


def _cron(
    key: str, event: str, code: str = "JOB_FAILED", *, boundary: str = "job", seen_by: str = _RUN
) -> Row:
    return Row(key=key, event=event, hosts=CRON, seen_by=seen_by, boundary=boundary, code=code)


def _script(
    key: str,
    event: str,
    code: str = "INTERNAL_ERROR",
    *,
    boundary: str = "job",
    seen_by: str = _JOB,
) -> Row:
    return Row(key=key, event=event, hosts=SCRIPT, seen_by=seen_by, boundary=boundary, code=code)


def _none(key: str, event: str, hosts: tuple[str, ...], seen_by: str, why: str) -> Row:
    return Row(key=key, event=event, hosts=hosts, seen_by=seen_by, records=0, why=why)


COMMANDS = (
    _cron("status", "A command ends with an exit status other than 0"),
    _cron("killed", "SIGKILL ends a command, as it does where memory runs out"),
    _cron("crashed", "SIGSEGV ends a command"),
    _cron("time-over", "A command takes longer than `--within`", "JOB_TIMED_OUT"),
    _cron(
        "time-ignored",
        "A command takes longer than `--within` and does not listen",
        "JOB_TIMED_OUT",
    ),
    _cron("not-found", "There is no such command"),
    _cron("not-executable", "A command may not be executed"),
    _cron("stopped", "SIGTERM stops a run, as a shutdown does"),
    _cron("exited", "A Python command ends by `os._exit`, past all its hooks"),
    _cron("lock-away", "The lock of a command cannot be asked", "SERVICE_UNAVAILABLE"),
    _cron("lease-lost", "A command runs on while another host has its lease"),
    _cron(
        "python",
        "A Python command with a runtime ends by an error",
        "INTERNAL_ERROR",
        boundary="process",
        seen_by="`sys.excepthook` of the command; the run notes it",
    ),
    _cron(
        "python-job",
        "A Python command fails in a function that is a job itself",
        "DB_CONNECTION_ERROR",
        seen_by="`holdfast.job` in the command; the run notes it",
    ),
    _cron(
        "python-status",
        "A Python command handles the error that ends it and leaves with exit status 1",
        "INTERNAL_ERROR",
        boundary="process",
        seen_by="the boundary in the command; the run notes it",
    ),
    _cron("inner-run", "A command that is a `holdfast run` fails", seen_by="the inner run"),
    _none(
        "interrupted",
        "A person interrupts a run (SIGINT)",
        CRON,
        _RUN,
        "no error; event `job.failed` with its signal, exit status 130",
    ),
    _none(
        "locked",
        "The run before has not ended",
        CRON,
        _RUN,
        "no error; event `job.skipped` with who has the lock, exit status 75",
    ),
    _none(
        "run-killed",
        "SIGKILL ends `holdfast run` itself",
        CRON,
        "nothing",
        "nobody is left to tell; the job is late (`job_check`), its pings do not come, and the lock "
        "lasts as long as the command",
    ),
    _none(
        "pipeline",
        "A command in the middle of a shell's pipeline fails",
        CRON,
        "nothing",
        "the shell answers with the status of the last one; `set -o pipefail`",
    ),
    _none(
        "background",
        "A command that a shell put in the background fails",
        CRON,
        "nothing",
        "the shell does not ask for its status; `wait` for it by its id",
    ),
    _none(
        "ping-fails",
        "A service that is pinged is away",
        CRON,
        "`holdfast run`, after a few attempts",
        "no error of the job; event `job.ping_failed`",
    ),
    _none(
        "state-fails",
        "What became of a run cannot be written down",
        CRON,
        _RUN,
        "no error of the job; event `job.state_failed`, and the job will count as late",
    ),
    _none(
        "not-started",
        "A run is missing: cron was off, or its table was lost",
        CRON,
        "the next run, by its schedule; health, before",
        "nothing raised; event `job.late`, and `job_check` fails",
    ),
)

FUNCTIONS = (
    _script("raised", "A function raises"),
    _script("on-purpose", "A function raises an `AppError`", "DB_CONNECTION_ERROR"),
    _script("group", "A function raises an `ExceptionGroup`", "DB_CONNECTION_ERROR"),
    _script("coroutine", "A coroutine function raises"),
    _script("block", "A block raises"),
    _script("nested", "A job within a job raises"),
    _script("status-3", "A job leaves by `sys.exit(3)`", "JOB_FAILED"),
    _script("text", "A job leaves by `sys.exit` with a sentence", "JOB_FAILED"),
    _script("alarm", "A job in the main thread takes too long", "JOB_TIMED_OUT"),
    _script("loop", "A coroutine function takes too long", "JOB_TIMED_OUT"),
    _script("store-away", "The lock of a job cannot be asked", "SERVICE_UNAVAILABLE"),
    _script("lost", "A job's lock is another's before it has ended", "JOB_FAILED"),
    _script(
        "handled",
        "An error that was handled within the job leaves it",
        boundary="block",
        seen_by="the inner boundary",
    ),
    _script(
        "thread",
        "A thread that a job started raises",
        boundary="thread",
        seen_by="`threading.excepthook`",
    ),
    _script(
        "logged",
        "A job logs an exception and goes on",
        boundary="log",
        seen_by="logging bridge",
    ),
    _script(
        "uncaught",
        "An error of a job ends the script, too",
        seen_by="`holdfast.job`; `sys.excepthook` knows it",
    ),
    _none("status-0", "A job leaves by `sys.exit(0)`", SCRIPT, _JOB, "no error: it succeeded"),
    _none(
        "keyboard",
        "A person interrupts a job (`KeyboardInterrupt`)",
        SCRIPT,
        _JOB,
        "no error; event `job.failed`",
    ),
    _none(
        "cancelled",
        "A job's task is cancelled",
        SCRIPT,
        _JOB,
        "no error; event `job.failed`",
    ),
    _none(
        "running",
        "The run before has not ended",
        SCRIPT,
        _JOB,
        "no error: `JobLockedError` for the caller, event `job.skipped`",
    ),
    _none(
        "elsewhere",
        "A job outside of the main thread takes too long",
        SCRIPT,
        _JOB,
        "nothing can interrupt it; event `job.succeeded` with `overrun`, and `holdfast run --within` "
        "ends anything",
    ),
    _none(
        "swallowed",
        "A job catches everything and goes on",
        SCRIPT,
        "nothing",
        "nothing leaves the `except`; `holdfast check` names such places",
    ),
)

ROWS = (*COMMANDS, *FUNCTIONS)
