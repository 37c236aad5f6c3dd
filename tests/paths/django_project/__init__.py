"""A Django project in which each row of the table can be made to happen."""
