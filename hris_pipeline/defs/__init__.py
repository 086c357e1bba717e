"""All Dagster glue: assets, checks, jobs, schedules, sensors, resources. Thin: what is done is in ``operations``."""
