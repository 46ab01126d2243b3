"""What the program is measured against: the flows that one would write with Bytewax a fix at a time, and parsing alone."""
