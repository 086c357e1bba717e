"""The settings, as a specification."""
