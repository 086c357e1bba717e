"""One file a revision, in order; a landed revision never changes."""
