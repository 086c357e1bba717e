"""All persistence: tables, migrations, locks, registry, snapshot, staging, applying and history."""
