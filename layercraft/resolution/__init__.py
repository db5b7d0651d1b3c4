"""From requirements to a lock: the index, the candidates, the solver."""
