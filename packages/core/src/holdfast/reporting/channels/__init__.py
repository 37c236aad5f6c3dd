"""Channels: carry the messages of alerts to people, each in the form that people there read."""
