"""A bug, as bugs are: an exception nobody foresaw, with a secret in its text."""

PASSWORD = "Tr0ub4dor-and-3"  # noqa: S105  # made up, to see that it comes out nowhere


def connect() -> None:
    """Fail the way a database driver does."""
    address = f"postgresql://shop:{PASSWORD}@db.internal:5432/shop"
    raise RuntimeError(f"could not connect to {address} as customer jane.doe@example.com")
