"""Who is told of what: the setting `ALERTS` of both shops.

SHOP_ALERTS: address that takes alerts as JSON. Without it they are lines of the log.
"""

import os

RECEIVER = os.environ.get("SHOP_ALERTS", "")

CHANNEL: dict[str, object] = {"KIND": "webhook", "URL": RECEIVER} if RECEIVER else {"KIND": "log"}
RULES: dict[str, dict[str, object]] = {
    # Every bug at once, each code by itself; what follows comes as a summary, once a second at most.
    "bug": {"WHERE": {"kind": "INTERNAL"}, "COOL_DOWN": 1},
    # Payments that failed three times in a minute, whatever it was, and not for what the payer did.
    "payments": {
        "WHERE": {"operation": "POST *payment", "fault": "DEPENDENCY"},
        "COUNT": 3,
        "WINDOW": 60,
        "BY": "none",
    },
    # A deployment, which is over when it was quiet for a second.
    "deployment": {"CODE": "SERVICE_UNAVAILABLE", "RECOVER_AFTER": 1},
}
ALERTS: dict[str, object] = {"RULES": RULES, "CHANNELS": {"on-call": CHANNEL}}
