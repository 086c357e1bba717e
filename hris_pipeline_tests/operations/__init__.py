"""What a person or a schedule asks for, against a real sandbox and both databases."""
