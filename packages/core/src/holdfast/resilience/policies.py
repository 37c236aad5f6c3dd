"""The live policies of one runtime, by name."""

from typing import TYPE_CHECKING

from holdfast.forks import ForkSafeLock
from holdfast.resilience.live import LivePolicy

if TYPE_CHECKING:
    from holdfast.resilience.host import Host
    from holdfast.resilience.policy import Policy


class Policies:
    """Keeps the live state of policies by name; thread-safe.

    Args:
        host: The runtime they live in.
    """

    def __init__(self, host: "Host") -> None:
        self._host = host
        self._live: dict[str, LivePolicy] = {}
        self._lock = ForkSafeLock()

    def of(self, policy: "Policy") -> LivePolicy:
        """Return the live state of a policy; it is made when it is first asked for.

        Raises:
            ValueError: When another policy of this name is at work.
        """
        live = self._live.get(policy.name)
        if live is not None and live.policy is policy:
            return live
        return self._found(policy)

    def _found(self, policy: "Policy") -> LivePolicy:
        with self._lock:
            live = self._live.get(policy.name)
            if live is None:
                live = self._live[policy.name] = LivePolicy(policy, self._host)
        if live.policy != policy:
            raise ValueError(
                f"two policies are named {policy.name!r}, with different layers: {live.policy} and {policy}"
            )
        return live
