"""From a source's columns to users: normalise, validate, map, the user file. Frame in, frame out; no I/O, no clock."""
