"""Whether a finished layer works: engines, strongest last, and what they find."""
