"""The least any import must do, written as plainly as possible: fetch; fetch, decode and read the store's keys
(nothing changed); fetch, decode and write (all new). No validation, no archive, no matching, no plan, no history.

Usage: python -m benchmarks.floors fetch|values|unchanged|first URL TOKEN
"""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import local

import httpx
import msgspec
import psycopg

from benchmarks.measure import Meter
from hris_pipeline.environment import Environment
from hris_pipeline.sources.partner_api import THREADS

PAGE = 100

TABLE = """
CREATE UNLOGGED TABLE floor_staged (hris_id text, employee_id text, first_name text, last_name text, email text,
  phone_number text, birth_date date, hire_date date, supervisor_id text, country_code text, metadata jsonb);
CREATE TABLE IF NOT EXISTS floor_users (LIKE floor_staged, PRIMARY KEY (hris_id));
"""
COLUMNS = 11


class _Name(msgspec.Struct, gc=False):
    given_name: str | None = None
    family_name: str | None = None


class _Typed(msgspec.Struct, gc=False):
    type: str | None = None
    email: str | None = None
    number: str | None = None


class _Named(msgspec.Struct, gc=False):
    id: str | None = None
    name: str | None = None


class _Member(msgspec.Struct, gc=False):
    id: str
    work_id: str | None = None
    name: _Name | None = None
    emails: list[_Typed] | None = None
    phones: list[_Typed] | None = None
    date_of_birth: str | None = None
    employment_start_date: str | None = None
    manager: _Named | None = None
    department: _Named | None = None
    job_title: str | None = None
    current_employment: dict[str, msgspec.Raw] | None = None


class _Items(msgspec.Struct, gc=False):
    items: list[_Member]


class _Raw(msgspec.Struct):
    items: list[msgspec.Raw]


class _Cursor(msgspec.Struct):
    next_cursor: str | None = None


def fetch(url: str, token: str) -> Iterator[bytes]:
    """Every page, over one kept-alive connection."""
    cursor_of = msgspec.json.Decoder(_Cursor).decode
    query: dict[str, str] = {}
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        while True:
            body = client.get("/v1/members", params={"limit": str(PAGE), **query}).raise_for_status().content
            yield body
            cursor = cursor_of(body).next_cursor
            if not cursor:
                return
            query = {"cursor": cursor}


def fetch_values(url: str, token: str) -> int:
    """Every page, and everybody's custom field values, by as many threads as an import has, a client each; bytes."""
    clients = local()

    def values(hris_id: str) -> int:
        if not hasattr(clients, "client"):
            clients.client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        return len(clients.client.get(f"/v1/members/{hris_id}/custom-field-values").raise_for_status().content)

    with ThreadPoolExecutor(THREADS) as threads:
        return sum(threads.map(values, (member.id for member in members(url, token))))


def members(url: str, token: str) -> Iterator[_Member]:
    """Every member, decoded into typed structs page by page; one whose shape surprises is left out."""
    decode, raw = msgspec.json.Decoder(_Items).decode, msgspec.json.Decoder(_Raw).decode
    decode_member = msgspec.json.Decoder(_Member).decode
    for body in fetch(url, token):
        try:
            yield from decode(body).items
        except msgspec.ValidationError:
            for item in raw(body).items:
                try:
                    yield decode_member(item)
                except msgspec.ValidationError:
                    continue


def main(kind: str, url: str, token: str) -> None:
    """Measures one floor."""
    meter = Meter()
    if kind == "fetch":
        with meter.step("fetch"):
            total = sum(len(body) for body in fetch(url, token))
        return meter.tell({"bytes": total})
    if kind == "values":
        with meter.step("fetch"):
            total = fetch_values(url, token)
        return meter.tell({"bytes": total})
    address = Environment.read().store_url.replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        if kind == "unchanged":
            with meter.step("fetch, decode, read keys"):
                keys = connection.execute("SELECT hris_id, source_hash, version, synced_version FROM users").fetchall()
                rows_by_id = {row[0]: row[1:] for row in keys}
                number = sum(member.id in rows_by_id for member in members(url, token))
            return meter.tell({"users": len(rows_by_id), "found": number})
        connection.execute(TABLE)
        connection.commit()
        with meter.step("fetch, decode, write"):
            written = _write(connection, members(url, token))
        return meter.tell({"written": written})


def _write(connection: psycopg.Connection[tuple[object, ...]], people: Iterator[_Member]) -> int:
    with connection.cursor() as cursor:
        with cursor.copy("COPY floor_staged FROM STDIN") as copy:
            for member in people:
                copy.write_row(_row(member))
        cursor.execute(
            "INSERT INTO floor_users SELECT DISTINCT ON (hris_id) * FROM floor_staged ON CONFLICT DO NOTHING"
        )
        connection.commit()
        return cursor.rowcount


def _row(member: _Member) -> tuple[object, ...]:
    name, day = member.name or _Name(), member.date_of_birth
    email = next((email.email for email in member.emails or () if email.email), None)
    phone = next((phone.number for phone in member.phones or () if phone.number), None)
    metadata = {"JobTitle": member.job_title, "Department": member.department.name if member.department else None}
    return (
        member.id,
        member.work_id,
        name.given_name,
        name.family_name,
        email,
        phone,
        day if day and len(day) == 10 and day[4] == "-" else None,
        None,
        member.manager.id if member.manager else None,
        next(iter(member.current_employment or ()), None),
        json.dumps(metadata),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
