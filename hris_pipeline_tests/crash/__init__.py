"""What a process that dies in the middle of an import leaves behind, on both databases."""
