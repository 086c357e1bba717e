"""Keeps a user store in step with a company's Justworks."""
