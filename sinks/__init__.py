"""Where results go: these modules only encode and deliver."""
