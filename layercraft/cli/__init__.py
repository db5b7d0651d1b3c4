"""The command line: one function a command; everything that fails ends in one clear line."""

from layercraft.cli.application import main

__all__ = ["main"]
