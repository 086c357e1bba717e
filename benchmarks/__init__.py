"""How fast the pipeline is, against floors of the same run, and how well it survives; not part of the package."""
