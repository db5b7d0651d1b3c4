"""From wheels to a zip: the tree, its changes, sizes and the archive."""
