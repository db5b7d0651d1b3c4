"""`python -m layercraft`."""

from layercraft.cli import main

main()
