"""The one way to have a company, a store, a source, a Dagster instance in a test."""
