"""What is measured; one module per kind of subject, one flavour of it per process."""
