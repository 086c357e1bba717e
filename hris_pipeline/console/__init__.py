"""The same operations in a browser, for whoever decides and opens no terminal. Thin: no state of its own but log-
ins."""
