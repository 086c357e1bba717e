"""Tests of hris_pipeline.store: on real SQLite files and a real PostgreSQL server."""
