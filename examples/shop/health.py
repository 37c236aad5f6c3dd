"""How both shops tell how they are: the setting `HEALTH`.

SHOP_STATE: folder in which the processes of one shop agree who of them monitors; one for each shop.
"""

import os

HEALTH: dict[str, object] = {
    # For everybody to look at. A service of one's own says who may: a token, a network, a function.
    "DETAILS": "always",
    "TIME_LIMIT": 2,
    "MONITOR": {
        "ENABLED": True,
        "INTERVAL": 0.5,
        "FAILURES": 2,
        "RECOVERY": 5,
        "STATE": os.environ.get("SHOP_STATE", ""),
    },
}
