"""Alerts: rules about events, folded into few messages, sent through channels."""
