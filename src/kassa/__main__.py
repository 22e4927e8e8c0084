"""Run the command line: ``python -m kassa``."""

from kassa.cli import main

main()
