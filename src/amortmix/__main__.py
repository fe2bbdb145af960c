"""The command line as a module: python -m amortmix fit MODEL DATA ... is amortmix fit MODEL DATA ..."""

from amortmix.cli import main

main()
