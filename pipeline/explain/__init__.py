"""`fencewatch explain`: why there was an alert, or none. Records are judged again, or a running daemon is asked."""
