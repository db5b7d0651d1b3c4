"""Layers that are broken in all the ways that life knows, and good ones, made from real wheels."""
