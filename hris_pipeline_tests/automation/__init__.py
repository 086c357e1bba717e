"""Tests of automatic imports by real processes: daemon, queue, warm launcher, webserver, the sandbox over HTTP."""
