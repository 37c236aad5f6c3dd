"""Calls protected by one library each, used as its documentation recommends."""
