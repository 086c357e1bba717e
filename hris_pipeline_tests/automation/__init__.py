"""Tests of automatic imports by real processes: daemon, queue, launchers, workers, webserver, the sandbox over HTTP."""
