"""What holds of the code as a whole."""
