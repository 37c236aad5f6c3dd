"""Consumers of events: they tell somebody, and never hurt who they observe."""
