"""What is done again and again, whether anybody asks or not."""

SCHEDULE: dict[str, dict[str, object]] = {
    "release-reservations": {"task": "shop.release_reservations", "schedule": 1.0},
    "import-prices": {"task": "shop.import_prices", "schedule": 1.0},
    "import-some-prices": {
        "task": "shop.import_prices",
        "schedule": 1.0,
        "args": [{"SKU-881", "SKU-882"}],  # a set, which cannot be sent as JSON
    },
}
"""Entries of `beat_schedule`; every second, so that one need not wait for them."""
