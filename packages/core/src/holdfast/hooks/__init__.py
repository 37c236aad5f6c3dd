"""Where errors come up that no boundary sees: the hooks of the process, and boundaries for jobs and consumers."""
