"""Where members come from: the Source protocol, the clients and wire shapes, the extract archive and its verdict."""
