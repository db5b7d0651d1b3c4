"""What touches this machine: the HTTP client, the cache, processes, temporary folders, interpreters."""
