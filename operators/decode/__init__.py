"""One file a format: bytes in, a FixBatch out."""
