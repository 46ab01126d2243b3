"""The demo: a simulated world through a real Redis stream into the real daemon, shown as it happens and checked at its end."""
