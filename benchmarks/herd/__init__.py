"""A thundering herd: two hundred callers of a dependency that goes down for five seconds.

`python -m benchmarks.herd` runs it on threads, five ways to call side by side, and prints what arrived
at the dependency; `--write` keeps the plot for the documentation.
"""
