"""Checks that come with holdfast and need no library of others; one module each, loaded by whom they serve."""
