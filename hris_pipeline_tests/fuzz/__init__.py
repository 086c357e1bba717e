"""Whatever arrives, of whatever shape: the words are our own, and what was good stays good."""
