"""Areas, rules and time windows. Knows no streams and no Redis."""
