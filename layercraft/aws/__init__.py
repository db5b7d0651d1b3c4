"""Layers in the user's own AWS account: published, shared, tested there and fetched from there."""
