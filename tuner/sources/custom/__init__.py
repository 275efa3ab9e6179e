"""The user's own loader, and what it may return."""
