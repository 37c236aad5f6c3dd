"""What holdfast does and what its peers do: claims, each of which is tried on each library.

`python -m benchmarks.compared` prints what was seen, `--write` keeps it as docs/reference/compared.md.
"""
