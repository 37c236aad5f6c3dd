"""What keeps work going when others fail."""
