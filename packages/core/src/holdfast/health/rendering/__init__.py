"""How a report is written, by the format that is asked for."""
