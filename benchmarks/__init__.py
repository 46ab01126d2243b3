"""What the program costs: the worlds, the yardsticks and the table that `make bench` prints."""
