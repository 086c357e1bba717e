"""The usual loader, dlt, doing extract and merge alone: from its REST source into the same PostgreSQL.

Runs in an environment of its own (`make bench` makes it from peers.txt), so it imports nothing of this project.

Usage: python benchmarks/peers.py documented|best URL TOKEN DATABASE_URL FOLDER
"""

import json
import os
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dlt
from dlt.sources.rest_api import rest_api_source

__all__ = ["main"]


def members(url: str, token: str) -> Any:
    """The REST source as dlt's documentation configures one."""
    return rest_api_source(
        {
            "client": {
                "base_url": f"{url}/v1/",
                "auth": {"type": "bearer", "token": token},
                "paginator": {"type": "cursor", "cursor_path": "next_cursor", "cursor_param": "cursor"},
            },
            "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
            "resources": [
                {
                    "name": "members",
                    "endpoint": {"path": "members", "params": {"limit": 100}, "data_selector": "items"},
                }
            ],
        }
    )


def flat(member: Mapping[str, Any]) -> dict[str, Any]:
    """A row of columns, as a user who knows dlt well would map it."""
    name = member.get("name") or {}
    return {
        "id": member["id"],
        "work_id": member.get("work_id"),
        "first_name": name.get("given_name"),
        "last_name": name.get("family_name"),
        "email": next((item.get("email") for item in member.get("emails") or () if item.get("email")), None),
        "phone": next((item.get("number") for item in member.get("phones") or () if item.get("number")), None),
        "birth_date": member.get("date_of_birth"),
        "hire_date": member.get("employment_start_date"),
        "manager": (member.get("manager") or {}).get("id"),
        "department": (member.get("department") or {}).get("name"),
        "job_title": member.get("job_title"),
        "active": member.get("active"),
    }


def main(kind: str, url: str, token: str, database_url: str, folder: str) -> None:
    """Loads once and prints what it took."""
    source = members(url, token)
    options: dict[str, Any] = {}
    if kind == "best":
        source.members.add_map(flat)
        source.members.apply_hints(write_disposition={"disposition": "merge", "strategy": "upsert"})
        options = {"loader_file_format": "csv"}
    pipeline = dlt.pipeline(
        f"peer_{kind}",
        pipelines_dir=folder,
        destination=dlt.destinations.postgres(database_url),
        dataset_name=f"peer_{kind}",
    )
    wall, cpu = time.perf_counter(), _cpu()
    pipeline.run(source, **options)
    step = {"wall": time.perf_counter() - wall, "cpu": _cpu() - cpu}
    sys.stdout.write("\n" + json.dumps({"steps": {"load": step}, "peak_mb": _peak_mb(), "counts": {}}) + "\n")


def _peak_mb() -> float:
    status = Path("/proc/self/status")  # on Linux ``ru_maxrss`` counts what the process was forked from
    if status.exists():
        return next(int(line.split()[1]) * 1024 for line in status.open() if line.startswith("VmHWM")) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main(*sys.argv[1:])
