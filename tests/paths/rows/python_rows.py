"""Errors of plain Python processes: of their threads, event loops, pools, children and ends."""

from tests.paths.row import Row

SCRIPT = ("script",)
TWICE = ("script, started again",)

_PROCESS = "`sys.excepthook`"
_THREAD = "`threading.excepthook`"
_UNRAISABLE = "`sys.unraisablehook`"
_LOOP = "the loop's exception handler (`watch_loop`)"
_BRIDGE = "logging bridge"
_RUN = "`Process.run` of the child"


def _seen(
    key: str, event: str, seen_by: str, boundary: str = "process", code: str = "INTERNAL_ERROR"
) -> Row:
    return Row(key=key, event=event, hosts=SCRIPT, seen_by=seen_by, boundary=boundary, code=code)


def _not_seen(key: str, event: str, why: str, seen_by: str = "nothing") -> Row:
    return Row(key=key, event=event, hosts=SCRIPT, seen_by=seen_by, records=0, why=why)


def _fault(key: str, event: str) -> Row:
    return Row(
        key=key,
        event=event,
        hosts=TWICE,
        seen_by="fault log (`HOOKS.FAULTS`), read at the next start",
        boundary="fault",
        code="PROCESS_CRASHED",
    )


MAIN_THREAD = (
    _seen("uncaught", "An error reaches the end of the main thread", _PROCESS),
    _seen(
        "on-purpose",
        "An `AppError` reaches the end of the main thread",
        _PROCESS,
        code="DB_CONNECTION_ERROR",
    ),
    _seen(
        "refused",
        "An error of the standard library reaches the end of the main thread",
        _PROCESS,
        code="COMMUNICATION_ERROR",
    ),
    _seen("group", "An `ExceptionGroup` reaches the end of the main thread", _PROCESS),
    _seen("chained", "An error reaches the end that was raised from another", _PROCESS),
    _seen("hook-raises", "A `sys.excepthook` that was there before raises, too", _PROCESS),
    _seen("other-hooks", "Other libraries put their hooks before and after ours", _PROCESS),
    _seen("signal-handler", "The handler of a signal raises", _PROCESS),
    _seen("recursion", "`RecursionError`", _PROCESS),
    _seen("memory", "`MemoryError`, with next to nothing left", _PROCESS),
    _seen(
        "pipeline-logs",
        "A step of the handler's pipeline logs the error that is being handled, and one of its own",
        f"{_PROCESS}; the logging bridge hears nothing meanwhile",
    ),
    _not_seen(
        "exit",
        "`sys.exit(3)`",
        "control flow; `holdfast run` and `job` tell of the exit status",
        "`sys.excepthook` is not called",
    ),
    _not_seen("interrupt", "`KeyboardInterrupt`", "control flow", _PROCESS),
    _not_seen(
        "interactive",
        "An error at the prompt",
        "its user sees it: a prompt is left alone",
        _PROCESS,
    ),
    _not_seen(
        "sigterm",
        "SIGTERM",
        "somebody asks the process to end, which is no error; what was reported is delivered, and "
        "the event `process.draining` says so",
        "handler of SIGTERM",
    ),
)

THREADS = (
    _seen("thread", "A thread raises", _THREAD, "thread"),
    _seen("timer", "A `threading.Timer` raises", _THREAD, "thread"),
    _seen(
        "thread-hook-raises",
        "A `threading.excepthook` that was there before raises",
        f"{_PROCESS}, to which Python hands it",
    ),
    _not_seen(
        "thread-exit", "`sys.exit(3)` in a thread", "control flow; Python ignores it", _THREAD
    ),
)

FUTURES = (
    _seen("spawned", "A function that was spawned raises", "`spawn`", "future"),
    _seen("pool-spawned", "Work spawned on a pool raises", "`WatchedExecutor.spawn`", "future"),
    _seen(
        "pool-watched",
        "Work on a watched pool of threads raises, and nobody looks at the future",
        "`WatchedExecutor`, when the future is freed",
        "future",
    ),
    _seen(
        "future-watched",
        "A watched future fails, and nobody looks at it",
        "`watch_future`, when it is freed",
        "future",
    ),
    _seen(
        "future-held",
        "A watched future fails that is kept to the end",
        "`watch_future`, when the process ends",
        "future",
    ),
    _seen(
        "process-pool-watched",
        "Work on a watched pool of processes raises, and nobody looks at the future",
        "`WatchedExecutor`, when the future is freed",
        "future",
    ),
    _seen(
        "process-pool-killed",
        "A worker of a watched pool of processes is killed",
        "`WatchedExecutor`, when the first future is freed",
        "future",
        "PROCESS_CRASHED",
    ),
    _seen("done-callback", "A future's done-callback raises", _BRIDGE, "log"),
    _seen("callback-of-pool", "A done-callback raises on a thread of the pool", _BRIDGE, "log"),
    _not_seen(
        "pool",
        "Work on a pool of threads raises, and nobody looks at the future",
        "the error stays in the future, and Python has no hook for it: `WatchedExecutor`, "
        "`watch_future` or `spawn` in its place",
    ),
    _not_seen(
        "process-pool",
        "Work on a pool of processes raises, and nobody looks at the future",
        "the error stays in the future, and Python has no hook for it: `WatchedExecutor` in its place",
    ),
)

LOOPS = (
    _seen("task-forgotten", "A task fails that nobody awaits", _LOOP, "asyncio"),
    _seen("future-forgotten", "A future of a loop fails that nobody awaits", _LOOP, "asyncio"),
    _seen("loop-callback", "A callback of the loop raises", _LOOP, "asyncio"),
    _seen("task-callback", "The callback of a task raises", _LOOP, "asyncio"),
    _seen("loop-signal", "The loop's handler of a signal raises", _LOOP, "asyncio"),
    _seen(
        "async-generator",
        "An async generator raises that is closed with its loop",
        _LOOP,
        "asyncio",
    ),
    _seen(
        "executor-awaited",
        "A function raises on a thread for a task that nobody awaits",
        _LOOP,
        "asyncio",
    ),
    _seen("task-spawned", "A coroutine that was spawned raises", "`spawn`", "asyncio"),
    _seen("task-unwatched", "A task fails that nobody awaits, on another loop", _BRIDGE, "log"),
    _seen("loop-handler", "The exception handler of a loop raises itself", _BRIDGE, "log"),
    _seen("async-main", "The coroutine of `asyncio.run` raises", _PROCESS),
    _seen("task-group", "A task of a `TaskGroup` raises", _PROCESS),
    _not_seen("task-cancelled", "A task is cancelled", "control flow"),
    _not_seen(
        "gathered",
        "`gather(return_exceptions=True)`, and nobody looks at the results",
        "the error is a result like any other: await it, use a `TaskGroup`, or `spawn`",
    ),
    _not_seen(
        "task-destroyed",
        "A task is freed while it waits",
        "there is no exception: asyncio logs a line at ERROR; `spawn` holds on to its tasks",
        _LOOP,
    ),
)

FINALISERS = (
    _seen("finaliser", "`__del__` raises", _UNRAISABLE, "unraisable"),
    _seen("weak-callback", "The callback of a weak reference raises", _UNRAISABLE, "unraisable"),
    _seen("atexit", "An `atexit` callback raises", _UNRAISABLE, "unraisable"),
    _seen(
        "atexit-early",
        "An `atexit` callback raises that was registered before the runtime was installed",
        f"{_UNRAISABLE}, after the reporters were closed once",
        "unraisable",
    ),
    _not_seen(
        "finaliser-at-end",
        "`__del__` raises while the interpreter is torn down",
        "no thread runs any more that could report; Python prints it on standard error",
        _UNRAISABLE,
    ),
)

ENDS = (
    _fault("segfault", "A segmentation fault"),
    _fault("abort", "The process is aborted (`SIGABRT`)"),
    _not_seen(
        "os-exit",
        "`os._exit(3)`",
        "nothing runs any more; whoever started the process sees the status: `start_process`, "
        "`holdfast run`",
    ),
    _not_seen(
        "sigkill",
        "SIGKILL, as when memory is short",
        "nothing runs any more; whoever started the process sees the signal: `start_process`, "
        "`holdfast run`",
    ),
)

CHILDREN = (
    _seen("forked", "A forked child raises", _RUN, "child"),
    _seen("forked-class", "A forked child of a subclass of `Process` raises", _RUN, "child"),
    _seen("forked-thread", "A thread of a forked child raises while it ends", _THREAD, "thread"),
    _seen("forked-by-hand", "A child of `os.fork` raises", _PROCESS),
    _seen("spawned-child", "A spawned child raises", f"`start_process`: {_RUN}", "child"),
    _seen("forkserver", "A child of the fork server raises", f"`start_process`: {_RUN}", "child"),
    _seen(
        "child-killed",
        "A child is killed by a signal",
        "`start_process`, in the parent",
        "child",
        "PROCESS_CRASHED",
    ),
    _seen(
        "child-os-exit",
        "A child leaves by `os._exit(3)`",
        "`start_process`, in the parent",
        "child",
        "UNEXPLAINED_FAILURE",
    ),
    _seen(
        "worker-callback",
        "Work on a `multiprocessing.Pool` raises that has an `error_callback`",
        "`error_callback=` that calls the handler",
        "child",
    ),
    _not_seen("child-exits", "A child leaves by `sys.exit(3)`", "control flow", _RUN),
    _not_seen(
        "child-terminated", "A child is asked to end by SIGTERM", "no error", "`start_process`"
    ),
    _not_seen(
        "forked-while-handling",
        "A child is forked while an error is handled, and does well",
        "the error is the parent's",
        _RUN,
    ),
    _not_seen(
        "spawned-alone",
        "A spawned child raises that was started by `Process.start`",
        "it begins afresh, without hooks: `start_process`, or a runtime that the main module installs",
    ),
    _not_seen(
        "worker",
        "Work on a `multiprocessing.Pool` raises, and nobody looks at the result",
        "the error stays in the result, and Python has no hook for it: `error_callback=`, or a "
        "`WatchedExecutor`",
    ),
)

LOGS = (
    _seen("logged", "An error is caught and logged at ERROR", _BRIDGE, "log"),
    _not_seen(
        "log-handler",
        "A handler of `logging` raises",
        "`logging` prints it on standard error (`handleError`) and has no hook for it",
    ),
)

ROWS = (*MAIN_THREAD, *THREADS, *FUTURES, *LOOPS, *FINALISERS, *ENDS, *CHILDREN, *LOGS)
