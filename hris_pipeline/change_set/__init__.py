"""From mapped users and the directory to a change set: identity, classification, desired state, difference, guards and
digest; and the way back. Pure: the clock, the extract's verdict and the directory come in."""
