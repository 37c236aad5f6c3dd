"""The walk of the demo: what is asked, what has to come back, and what has to be recorded."""
