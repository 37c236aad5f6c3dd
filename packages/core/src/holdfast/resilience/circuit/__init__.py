"""The circuit: decides which calls are made, by how earlier ones ended; without any I/O of its own."""
