"""Where records come from. A source gives chunks and clock marks, and can say at which position it stands."""
