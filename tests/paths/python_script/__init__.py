"""The errors of plain Python processes, each raised by a function, in a process of its own."""
