"""Probes as an orchestrator sends them, while checks hang, raise, dawdle, and the database is cut."""
