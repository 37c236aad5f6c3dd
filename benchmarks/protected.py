"""What is compared with what among protected calls."""

from process import Subject
from rows import Import, Line, Target, Timing

_OPEN_WITH = "runs its body with an open circuit as well"
_ASYNC = "books every coroutine as a success"
_NO_BLOCK = "has no such form"
_OURS, _CACHE = "**holdfast**, a policy", "**holdfast**, `Cache`"
_DROP_IN = "**holdfast**, `CircuitBreaker`"


def _line(label: str, module: str, case: str, base: str, target: Target | None = None) -> Line:
    return Line(
        label,
        Subject(f"peers.{module}", "-", case),
        Subject("peers.bare", "-", base),
        target,
    )


def _lines(
    case: str, base: str, target: Target | None, peers: tuple[str, ...], unable: dict[str, str]
) -> tuple[Line, ...]:
    """Return ours, the peers, and who cannot do it."""
    mode = ", asynchronous" if case.startswith("async") else ""
    ours = _line((_CACHE if case == "hit" else _OURS) + mode, "holdfast", case, base, target)
    able = [_line(_NAMES[name] + mode, name, case, base) for name in peers]
    nothing = Subject("peers.bare", "-", base)
    return (
        ours,
        *able,
        *(Line(_NAMES[name] + mode, nothing, nothing, why=why) for name, why in unable.items()),
    )


_NAMES = {
    "pybreaker": "pybreaker",
    "circuitbreaker": "circuitbreaker",
    "aiobreaker": "aiobreaker",
    "purgatory": "purgatory",
    "interlock": "interlock-cb",
    "redress": "redress",
    "tenacity": "tenacity",
    "stamina": "stamina",
    "backoff": "backoff",
    "cachetools": "cachetools",
    "dogpile": "dogpile.cache",
}
_BREAKERS = "circuitbreaker", "purgatory", "aiobreaker", "interlock", "redress"
_RETRIES = "backoff", "tenacity", "stamina", "redress"
_HOW = (
    "What is called does nothing, so that all else is the protection. Logs and hooks of the peers are "
    "off. "
)

CALLS = (
    Timing(
        "closed",
        "A circuit breaker that is closed, a call that succeeds",
        _HOW
        + "Our policy goes by the failure rate of the last 30 seconds, the drop-in class by failures in "
        "a row, as pybreaker, circuitbreaker, aiobreaker and purgatory do. interlock-cb goes by failure and "
        "slow-call rates of 100 calls, redress by failures of a minute.",
        (
            *_lines("call", "call", Target(6, "×"), ("pybreaker", *_BREAKERS), {}),
            _line(f"{_OURS} that knows slow calls", "holdfast", "slow", "call", Target(11, "×")),
            _line(_DROP_IN, "holdfast", "drop-in", "call", Target(6, "×")),
        ),
    ),
    Timing(
        "closed-async",
        "A circuit breaker that is closed, a coroutine that succeeds",
        _HOW,
        (
            *_lines("async call", "async call", Target(4, "×"), _BREAKERS, {"pybreaker": _ASYNC}),
            _line(_DROP_IN, "holdfast", "async drop-in", "async call", Target(4, "×")),
        ),
    ),
    Timing(
        "block",
        "A circuit breaker around a `with` block",
        _HOW,
        (
            *_lines(
                "block",
                "block",
                None,
                ("purgatory", "pybreaker", "interlock"),
                {"circuitbreaker": _OPEN_WITH, "aiobreaker": _NO_BLOCK, "redress": _NO_BLOCK},
            ),
            _line(_DROP_IN, "holdfast", "drop-in block", "block"),
        ),
    ),
    Timing(
        "open",
        "A circuit breaker that is open: the call is refused",
        "Base is raising and catching a bare exception. What a refusal carries differs: see "
        "[the comparison](reference/compared.md).",
        (
            *_lines("refusal", "refusal", Target(2.2, "×"), ("pybreaker", *_BREAKERS), {}),
            _line(_DROP_IN, "holdfast", "drop-in refusal", "refusal", Target(2.2, "×")),
            *_lines(
                "async refusal",
                "async refusal",
                Target(2.2, "×"),
                _BREAKERS,
                {"pybreaker": _ASYNC},
            ),
        ),
    ),
    Timing(
        "threads",
        "Sixteen threads, calls of 10 ms each",
        "Three calls of each thread, all begun together. The share of the bare throughput is one over "
        "*× base*.",
        (
            *_lines("threads", "threads", Target(0.98, "share"), ("pybreaker", *_BREAKERS), {}),
            _line(_DROP_IN, "holdfast", "drop-in threads", "threads", Target(0.98, "share")),
        ),
    ),
    Timing(
        "retry",
        "A retry that has nothing to do",
        _HOW + "Ours keeps its budget.",
        (
            *_lines("retry", "call", Target(5, "×"), _RETRIES, {}),
            *_lines("async retry", "async call", Target(3.5, "×"), _RETRIES, {}),
        ),
    ),
    Timing(
        "two-failures",
        "A retry after two failures, with no wait between",
        "Base is a loop with `try`. The peers call `time.sleep(0)`, which costs the most of it on a thread. "
        "Ours has no budget here, which calls that do nothing but fail would use up.",
        (
            *_lines("two failures", "two failures", Target(6, "×"), _RETRIES, {}),
            *_lines("async two failures", "async two failures", Target(6, "×"), _RETRIES, {}),
        ),
    ),
    Timing(
        "policy",
        "Time limit, retry and circuit breaker around one call that succeeds",
        "interlock-cb: its pipeline, whose time limit takes a thread and whose retry is tenacity's; "
        "redress: `Policy`, whose time limit takes a thread as well; tenacity: over pybreaker, without a "
        "time limit, which neither has.",
        (
            *_lines("policy", "call", Target(25, "×"), ("interlock", "redress", "tenacity"), {}),
            *_lines("async policy", "async call", None, ("interlock", "redress"), {}),
        ),
    ),
    Timing(
        "cache",
        "A value that is in the cache, in memory",
        "Base is a function that looks into a dict; the others are decorators. cachetools has a lock, as it "
        "asks of threads.",
        _lines("hit", "look up", Target(35, "×"), ("cachetools", "dogpile"), {}),
    ),
)

CALL_IMPORTS = (
    Import(
        "Flask: **holdfast's policies, after its extension**, one made and called",
        "flask+ours",
        "policy",
        ours=True,
    ),
    *(
        Import(f"Flask: {said}", "flask", "dogpile.cache" if name == "dogpile" else name)
        for name, said in _NAMES.items()
    ),
)
