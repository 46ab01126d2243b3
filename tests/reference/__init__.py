"""An independent judge, one fix at a time in plain Python; it imports nothing of the project."""
