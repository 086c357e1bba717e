"""From a source's columns to users and change sets, and the tables beside. Frame in, frame out; no I/O, no clock."""
