"""The live policies of one runtime, by name."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from holdfast.codes import Severity
from holdfast.events import Event, Scalar
from holdfast.forks import ForkSafeLock
from holdfast.resilience.binding import shut_gates
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.chaos import Chaos
from holdfast.resilience.describing import PolicyExplanation, PolicySnapshot, explained, snapshot_of
from holdfast.resilience.live import LivePolicy
from holdfast.resilience.options import read_policies, tuned
from holdfast.resilience.policy import Policy, Spec, declared, in_order
from holdfast.resilience.short import ShortForm
from holdfast.resilience.tuning import Tuning
from holdfast.strict.problems import SettingsError, nearest

if TYPE_CHECKING:
    from holdfast.resilience.circuit.circuit import Circuit
    from holdfast.resilience.host import Host


class Policies:
    """Keeps the live state of policies by name; thread-safe.

    Args:
        host: The runtime they live in.
    """

    def __init__(self, host: "Host") -> None:
        self._host = host
        self._live: dict[str, LivePolicy] = {}
        self._tunings = dict(host.policy_settings)
        self._inner: dict[str, Spec] = {}
        self._lone: dict[str, LivePolicy] = {}
        """Circuits of short forms, by name, that are no policy's."""
        self._short: dict[ShortForm, tuple[LivePolicy, LivePolicy]] = {}
        """Short forms at work, each behind the policy whose circuit it shares."""
        self._lock = ForkSafeLock()

    def of(self, policy: Policy) -> LivePolicy:
        """Return the live state of a policy; it is made when it is first asked for.

        Raises:
            ValueError: When another policy of this name is at work.
            RuntimeError: When it fails on purpose, and must not here.
        """
        live = self._live.get(policy.name)
        if live is not None and live.policy is policy:
            return live
        return self._found(policy)

    def named(self, name: str) -> LivePolicy:
        """Return the live state of the policy of a name, at work or only defined in the code.

        Raises:
            LookupError: When no code that is imported defines one.
        """
        live = self._live.get(name)
        if live is not None:
            return live
        found = _declared_as(name) or next((each for each in declared() if each.name == name), None)
        if found is None:
            near = nearest(name, self.names())
            hint = f"; did you mean {near!r}?" if near else ""
            raise LookupError(f"there is no policy {name!r} in what is imported{hint}")
        return self.of(found)

    def names(self) -> list[str]:
        """Return the names of the policies that are at work, or defined in the code."""
        return sorted({*self._live, *(policy.name for policy in declared())})

    def circuit(self, name: str) -> "Circuit":
        """Return the circuit of a policy, or of short forms, to look at it or to override what it decides.

        Raises:
            LookupError: When there is no such policy, or it has no circuit.
        """
        for live in (self.named(name), self._lone.get(name)):
            if live is not None and live.breaker is not None:
                return live.breaker.breaker.circuit
        raise LookupError(f"policy {name!r} has no circuit: no Breaker is among its layers")

    def catch_up(self, timeout: float) -> bool | None:
        """Have shared circuits hear of the other workers, and tell them, now; for commands.

        Args:
            timeout: Seconds.

        Returns:
            Whether it was possible; None when circuits are not shared.
        """
        sharing = self._host.sharing
        return None if sharing is None else sharing.catch_up(timeout)

    def explain(self, name: str) -> PolicyExplanation:
        """Return what a policy does, where each option comes from, and its live state.

        Raises:
            LookupError: When there is no such policy.

        Example:
            >>> from holdfast.resilience.retry import Retry
            >>> from holdfast.runtime import Runtime
            >>> stock = Policy("stock", Retry(attempts=2))
            >>> told = Runtime().policies.explain("stock")
            >>> [(option.name, option.value, option.source) for option in told.layers[0].options][0]
            ('attempts', '2', 'code')
        """
        return explained(self.named(name), self._tunings.get(name), self._host.redactor.text)

    def snapshot(self) -> tuple[PolicySnapshot, ...]:
        """Return what is known of every policy at work, by name; nothing is made for it."""
        live = sorted({**self._lone, **self._live}.items())
        return tuple(snapshot_of(each) for _, each in live)

    def reload(self, settings: Mapping[str, object]) -> None:
        """Put what the setting `POLICIES` says in the place of what it said before.

        Everything is validated first. Layers whose options stay the same keep their state, such as
        that of a circuit; calls in progress end as they began.

        Args:
            settings: As under the key `POLICIES`.

        Raises:
            SettingsError: With every mistake at once; nothing has changed then.
            ValueError: When a layer cannot be made of what code and settings say together.
            RuntimeError: When a policy would fail on purpose, and must not here.
        """
        try:
            told = read_policies(settings, self._host.notation)
            with self._lock:
                changed = self._changed(told)
                self._tunings = dict(told)
                self._live.update(changed)
                self._renew_short_forms()
        except Exception as error:
            said = error.problems if isinstance(error, SettingsError) else [error]
            reason = "; ".join(map(str, said))
            self._tell("policies.reload_failed", Severity.ERROR, {"reason": reason})
            raise
        shut_gates()
        self._tell("policies.reloaded", Severity.INFO, {"changed": ", ".join(sorted(changed))})

    def put_inside(self, name: str, layer: Spec | None) -> Spec | None:
        """Put a layer innermost into a policy, in the place of one of its kind; None takes it out.

        For tests: what is in the code and in the settings stays as it is.

        Returns:
            What was put there before.

        Raises:
            RuntimeError: When the layer fails on purpose, and must not here; nothing has changed then.
        """
        if isinstance(layer, Chaos):
            layer.refuse_users(name, self._host)
        with self._lock:
            before = self._inner.pop(name, None)
            if layer is not None:
                self._inner[name] = layer
            live = self._live.get(name)
            if live is not None:
                self._live[name] = self._made(live.policy, self._tunings.get(name), live)
            self._renew_short_forms()
        shut_gates()
        return before

    def unnamed(self) -> list[str]:
        """Return one sentence for each name in the settings that no policy has.

        Asked when all that defines policies is imported: by checks and commands.
        """
        names = {policy.name for policy in declared()}
        return [
            f"POLICIES: no policy is named {name!r}" + (f"; did you mean {near!r}?" if near else "")
            for name in self._tunings
            if name not in names
            for near in [nearest(name, names)]
        ]

    def problems(self) -> list[str]:
        """Return one sentence for each policy that cannot be what code and settings say together.

        Asked when all that defines policies is imported: by checks and commands.
        """
        known = declared()
        return [*self._clashes(known), *self._unmakeable(known)]

    def _clashes(self, known: list[Policy]) -> list[str]:
        first: dict[str, Policy] = {}
        full = [policy for policy in known if not isinstance(policy, ShortForm)]
        unequal = [policy for policy in full if first.setdefault(policy.name, policy) != policy]
        return [
            f"two policies are named {name!r}, with different layers"
            for name in dict.fromkeys(policy.name for policy in unequal)
        ]

    def _unmakeable(self, known: list[Policy]) -> list[str]:
        found: list[str] = []
        for policy in known:
            try:
                self._check(policy, self._tunings.get(policy.name))
            except (RuntimeError, ValueError) as error:
                found.append(f"policy {policy.name!r}: {error}")
        return list(dict.fromkeys(found))

    def _found(self, policy: Policy) -> LivePolicy:
        if isinstance(policy, ShortForm):
            return self._short_form(policy)
        with self._lock:
            live = self._live.get(policy.name)
            is_new, failure = live is None, None
            if live is None:
                live, failure = self._begun(policy)
        if is_new and policy.name in self._lone:
            shut_gates()  # short forms of this name now share the policy's circuit
        if failure is not None:
            facts = {"policy": policy.name, "reason": str(failure)}
            self._tell("policies.tuning_failed", Severity.ERROR, facts)
        if live.policy != policy:
            raise ValueError(
                f"two policies are named {policy.name!r}, with different layers: {live.policy} and {policy}"
            )
        return live

    def _short_form(self, form: ShortForm) -> LivePolicy:
        """Return a short form at work: its own layers around the circuit of its name."""
        found = self._short.get(form)
        if found is not None and found[0] is self._with_circuit(form.name):
            return found[1]
        full = _declared_as(form.name)
        if full is not None and form.name not in self._live:
            self.of(full)
        with self._lock:
            behind = self._with_circuit(form.name)
            if behind is None:
                behind = self._lone[form.name] = self._made_of_short(form, None)
            live = self._made_of_short(form, behind)
            self._short[form] = behind, live
        return live

    def _with_circuit(self, name: str) -> LivePolicy | None:
        """Return what has the circuit that short forms of a name share."""
        live = self._live.get(name)
        return live if live is not None and live.breaker is not None else self._lone.get(name)

    def _made_of_short(self, form: ShortForm, behind: LivePolicy | None) -> LivePolicy:
        """Make a short form live, with somebody's circuit, or one of its own and nothing else."""
        try:
            specs = tuned(form, self._tunings.get(form.name))
        except ValueError:  # told already where the circuit was made, or by the checks
            specs = form.layers
        if behind is None:
            specs = tuple(each for each in specs if isinstance(each, Breaker))
        else:
            own = [each for each in specs if not isinstance(each, Breaker)]
            specs = in_order(*own, *(each for each in behind.specs if isinstance(each, Breaker)))
            inner = self._inner.get(form.name)
            specs = (*specs, inner) if inner is not None else specs
        return LivePolicy(form, self._host, specs, behind)

    def _renew_short_forms(self) -> None:
        """Have short forms made anew; circuits whose options stay the same go on."""
        self._short.clear()
        for name, lone in tuple(self._lone.items()):
            form = cast("ShortForm", lone.policy)
            made = self._made_of_short(form, None)
            if made.specs != lone.specs:
                self._lone[name] = made

    def _begun(self, policy: Policy) -> tuple[LivePolicy, ValueError | None]:
        """Make a policy live; what settings say of it that cannot be done leaves it as the code has it."""
        try:
            live, failure = self._made(policy, self._tunings.get(policy.name)), None
        except ValueError as error:
            live, failure = self._made(policy, None), error
        self._live[policy.name] = live
        return live, failure

    def _made(
        self, policy: Policy, tuning: Tuning | None, before: LivePolicy | None = None
    ) -> LivePolicy:
        specs, inner = tuned(policy, tuning), self._inner.get(policy.name)
        if inner is not None:
            specs = (*(spec for spec in specs if type(spec) is not type(inner)), inner)
        return LivePolicy(policy, self._host, specs, before)

    def _changed(self, told: Mapping[str, Tuning]) -> dict[str, LivePolicy]:
        """Return the policies at work that new settings change, once all are known to be possible."""
        for policy in declared():
            if policy.name not in self._live:
                tuned(policy, told.get(policy.name))
        for name, live in self._live.items():
            self._check(live.policy, told.get(name))
        made = {
            name: self._made(live.policy, told.get(name), live) for name, live in self._live.items()
        }
        return {name: new for name, new in made.items() if new.specs != self._live[name].specs}

    def _check(self, policy: Policy, tuning: Tuning | None) -> None:
        """Raise when a policy cannot be what code and settings say together."""
        for spec in tuned(policy, tuning):
            if isinstance(spec, Chaos):
                spec.refuse_users(policy.name, self._host)

    def _tell(self, name: str, severity: Severity, facts: Mapping[str, Scalar]) -> None:
        time, clean = self._host.clock.now(), self._host.redactor.text
        attributes = {key: clean(str(value)) for key, value in facts.items()}
        self._host.emit(Event(name=name, severity=severity, time=time, attributes=attributes))


def _declared_as(name: str) -> Policy | None:
    """Return the policy of a name that the code defines, other than by short forms."""
    named = (each for each in declared() if each.name == name)
    return next((each for each in named if not isinstance(each, ShortForm)), None)
