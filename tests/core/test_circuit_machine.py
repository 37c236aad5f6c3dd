"""A circuit against a model of ten lines: permits settled in any order, overrides, other processes."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from holdfast.resilience.circuit.period import Override, Period, State
from holdfast.resilience.circuit.permit import Permit
from holdfast.resilience.circuit.terms import Terms
from holdfast.resilience.weaving import Gate
from tests.core.circuits import Bench

TERMS = Terms(3, 10.0, 2, probe_timeout=4.0, ramp=())
NOBODY = -1


@dataclass
class Model:
    """What a circuit does, in few words; periods are numbered."""

    state: str = "closed"
    period: int = 0
    row: int = 0
    until: float = 0.0
    holder: int = 0
    lease: float = 0.0
    told: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def enter(self, state: str, until: float = 0.0) -> None:
        """Change the state."""
        self.told.append((self.state, state))
        self.state, self.until = state, until
        self.period, self.row, self.lease = self.period + 1, 0, 0.0

    def admits(self, now: float) -> bool:
        """Decide about one call."""
        if self.state == "open" and now >= self.until:
            self.enter("half-open")
        if self.state == "half-open" and now >= self.lease:
            self.holder, self.lease = self.holder + 1, now + TERMS.probe_timeout
            return True
        return self.state == "closed"

    def settle(self, period: int, holder: int, result: str, now: float) -> None:
        """Take note of how a call ended."""
        if period != self.period:
            return
        if self.state == "half-open" and holder == self.holder and result != "failure":
            self.lease = 0.0
        if result == "failure":
            self.row = max(self.row, 0) + 1 if self.state == "closed" else TERMS.failure_threshold
            if self.row >= TERMS.failure_threshold:
                self.enter("open", now + TERMS.recovery_timeout)
        elif result == "success":
            self.row = 0 if self.state == "closed" else self.row + 1
            if self.state == "half-open" and self.row >= TERMS.success_threshold:
                self.enter("closed")


class CircuitMachine(RuleBasedStateMachine):
    """Does to a circuit and to its model the same."""

    @initialize()
    def begin(self) -> None:
        """Make both."""
        self.bench = Bench(TERMS, hearing=("transition",))
        self.model = Model()
        self.override: Override | None = None
        self.permits: list[tuple[Permit, int, int]] = []
        self.shorts: list[tuple[Period, int]] = []
        self.gate = Gate()
        self.bench.circuit.watch(self.gate)

    @property
    def now(self) -> float:
        """The time of both."""
        return self.bench.clock.monotonic()

    @rule()
    def ask(self) -> None:
        """A call begins."""
        permit = self.bench.ask()

        if self.override in (Override.FORCED_OPEN, Override.DISABLED):
            admitted, period = self.override is Override.DISABLED, NOBODY
        else:
            admitted, period = self.model.admits(self.now), self.model.period
            if self.override is Override.SHADOW and not admitted:
                admitted, period = True, NOBODY
        assert (permit is not None) is admitted
        if permit is not None:
            self.permits.append((permit, period, self.model.holder))

    @precondition(lambda self: self.permits)
    @rule(data=st.data(), result=st.sampled_from(["success", "failure", "ignore"]))
    def settle(self, data: st.DataObject, result: str) -> None:
        """One of the calls under way ends, not the oldest first."""
        permit, period, holder = self.permits.pop(data.draw(st.integers(0, len(self.permits) - 1)))
        getattr(permit, result)()
        permit.failure()
        self.model.settle(period, holder, result, self.now)

    @rule(result=st.sampled_from(["success", "failure"]))
    def do_thrice(self, result: str) -> None:
        """Three calls end as soon as they begin, which changes most states."""
        for _ in range(3):
            before = len(self.permits)
            self.ask()
            if len(self.permits) > before:
                permit, period, holder = self.permits.pop()
                getattr(permit, result)()
                self.model.settle(period, holder, result, self.now)

    @precondition(lambda self: self.gate.period is not None)
    @rule()
    def begin_short(self) -> None:
        """A call begins on the short way."""
        period = self.gate.period
        assert isinstance(period, Period)
        self.shorts.append((period, self.model.period))

    @precondition(lambda self: self.shorts)
    @rule(data=st.data(), fails=st.booleans())
    def end_short(self, data: st.DataObject, fails: bool) -> None:  # noqa: FBT001  # drawn by name
        """A call on the short way ends, perhaps long after the circuit has changed."""
        period, number = self.shorts.pop(data.draw(st.integers(0, len(self.shorts) - 1)))
        if fails:
            Permit(self.bench.circuit, period).failure()
        elif not period.succeeded() & 63:
            period.tick()
        self.model.settle(number, NOBODY, "failure" if fails else "success", self.now)

    @rule(seconds=st.sampled_from([0.0, 1.0, 4.0, 9.0, 10.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.bench.clock.advance(seconds)

    @rule(override=st.sampled_from([*Override, None]))
    def decide(self, override: Override | None) -> None:
        """Somebody decides otherwise, or leaves it to the state."""
        circuit = self.bench.circuit
        {
            Override.FORCED_OPEN: circuit.force_open,
            Override.DISABLED: circuit.disable,
            Override.SHADOW: circuit.shadow,
            None: circuit.normal,
        }[override]()
        self.override = override

    @rule(state=st.sampled_from(["open", "half_open", "close"]))
    def set_by_hand(self, state: str) -> None:
        """Somebody changes the state."""
        getattr(self.bench.circuit, state)()
        name = {"open": "open", "half_open": "half-open", "close": "closed"}[state]
        self.model.enter(name, self.now + TERMS.recovery_timeout if name == "open" else 0.0)

    @rule(state=st.sampled_from(list(State)), seconds=st.sampled_from([0.0, 3.0, 30.0]))
    def adopt(self, state: State, seconds: float) -> None:
        """Another process has changed its state."""
        self.bench.circuit.adopt(state, until=self.now + seconds, reason="elsewhere")
        if state.value != self.model.state:
            self.model.enter(state.value)
        self.model.until = self.now + seconds

    @rule()
    def reset(self) -> None:
        """Somebody begins anew."""
        self.bench.circuit.reset()
        self.model.enter("closed")
        self.override = None

    @invariant()
    def is_as_the_model(self) -> None:
        """State, override, gates, and what was told."""
        if not hasattr(self, "bench"):
            return
        circuit = self.bench.circuit
        assert circuit.state.value == self.model.state
        assert circuit.override is self.override
        told = [(before, after) for before, after, _ in self.bench.ear.transitions()]
        assert told == self.model.told
        passes = self.model.state == "closed" and self.override in (None, Override.SHADOW)
        assert (self.gate.period is not None) is passes
        assert (self.gate.refusing is not None) is (
            self.model.state == "open" and self.override is None
        )
        snapshot = circuit.snapshot()
        assert (snapshot.state.value, snapshot.override) == (self.model.state, self.override)


TestCircuit = CircuitMachine.TestCase
TestCircuit.settings = settings(max_examples=200, stateful_step_count=60)
