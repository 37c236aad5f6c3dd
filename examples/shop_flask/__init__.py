"""The shop with Flask and sqlite3."""
