"""``python -m hris_pipeline.cli``: the command line of exactly this interpreter, as services and tests start it."""

from hris_pipeline.cli import main

main()
