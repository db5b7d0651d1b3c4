"""From a lock to checked wheels on disk."""
