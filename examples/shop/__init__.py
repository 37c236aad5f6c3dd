"""What both shops share: the domain, without any web framework and without any database."""
