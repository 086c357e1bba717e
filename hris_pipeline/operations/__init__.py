"""What a person or a schedule asks for, each once: connect, plan, save, approve, resolve, undo, explain, notify."""
