"""What an import must do, written only from SEMANTICS.md: plain dictionaries and loops, no code of the pipeline.

``expect`` starts from mapped people, ``oracle_members.expect_members`` from what Justworks sends. A person or user is a
dictionary; dates are ISO text (or dates, which are read as such); a user's ``metadata`` is a dictionary. A user the
import creates has the id ``new:<hris_id>``.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from hris_pipeline_tests.kit.oracle_identity import Dict, World, employed, holder, ignored, recognise, started

FIELDS = (
    "employee_id",
    "first_name",
    "last_name",
    "preferred_first_name",
    "email",
    "secondary_email",
    "phone_number",
    "birth_date",
    "hire_date",
    "latest_rehire_date",
    "supervisor_id",
    "country_code",
)
STATE = (*FIELDS, "integration_id", "hris_id", "metadata", "status", "archived_by", "email_edited_by_user", "protected")
DEFAULT_SOURCE = {"supervisor_id": "supervisor_hris_id", "employee_id": "justworks_id"}


@dataclass
class Expected:
    """``users`` after the import by id, the nine ``counts``, what became of each person by hris_id (``outcome``), and
    the (hris_id, user_id) pairs in conflict."""

    users: dict[str, Dict]
    counts: dict[str, int]
    outcome: dict[str, str]
    conflicts: set[tuple[str, str]]


def expect(
    people: Collection[Mapping[str, Any]],
    users: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any],
    *,
    integration: str,
    today: date,
    complete: bool = True,
    missing: Collection[str] = (),
    holes: Collection[str] = (),
    quarantined: Mapping[str, str] | None = None,
    resolutions: Collection[tuple[str, str, str]] = (),
) -> Expected:
    """What the import of mapped people into a directory must end in.

    ``settings`` is a whole settings document; ``quarantined`` has a name by hris_id; ``resolutions`` are
    (hris_id, user_id, decision).
    """
    world = World(
        people=sorted(
            ({key: plain(value) for key, value in one.items()} for one in people), key=lambda p: p["hris_id"]
        ),
        users={key: {name: plain(user[name]) for name in STATE} for key, user in users.items()},
        settings=dict(settings),
        integration=integration,
        today=today.isoformat(),
        complete=complete,
        missing=set(missing),
        holes=set(holes),
        quarantined=set(quarantined or {}),
        resolutions=sorted(resolutions),
    )
    _drop_fields_missing_for_all(world)
    recognise(world)
    outcome = {person["hris_id"]: _outcome(world, person) for person in world.people}
    after, forbidden = _after(world, outcome)
    kept = _archive(world, outcome, after)
    counts = _counts(world, outcome, after, forbidden)
    counts["protected"] += kept
    counts["quarantined"] = len(quarantined or {})
    return Expected(after, counts, outcome, world.conflicts)


def plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return dict(value)
    return value if isinstance(value, str | bool) else None


def _drop_fields_missing_for_all(world: World) -> None:
    fields = [name for name in (world.people[0] if world.people else ()) if name in FIELDS or name.startswith("#")]
    active = [world.users[key] for key in world.managed() if world.users[key]["status"] == "active"]
    for name in fields:
        had = any((user["metadata"].get(name[1:]) if name[0] == "#" else user[name]) for user in active)
        if name != "employee_id" and had and all(person[name] is None for person in world.people):
            for person in world.people:
                del person[name]


def _outcome(world: World, person: Dict) -> str:  # noqa: PLR0911
    user_id = world.user_of[person["hris_id"]]
    user = world.users[user_id] if user_id else None
    if user and user["status"] == "active":
        by_rule = person["exclusion"] and person["archive_existing"]
        by_leaving = not person["exclusion"] and not employed(world, person) and world.settings["archive_employees"]
        if by_rule or by_leaving:
            if _never_archived(world, user):
                return "protected"
            return "archive" if world.complete else "unchanged"
    if person["exclusion"]:
        return "excluded:" + str(person["exclusion"])
    if not employed(world, person):
        return "unchanged" if user else "excluded:inactive"
    if not started(world, person) and not (user and user["status"] == "active"):
        return "excluded:not_started"
    if user is None:
        if ignored(world, person["hris_id"]):
            return "excluded:ignored"
        return "conflict" if any(hris_id == person["hris_id"] for hris_id, _ in world.conflicts) else "create"
    if user["status"] == "archived":
        return "restore" if user["archived_by"] == "import" else "protected"
    return "compare"


def _never_archived(world: World, user: Dict) -> bool:
    return bool(user["protected"]) or user["employee_id"] in world.settings["do_not_archive"]


def _after(world: World, outcome: dict[str, str]) -> tuple[dict[str, Dict], set[str]]:
    """The users after creates, updates and restores; and the people of whom protection alone keeps something."""
    after = {key: dict(user) for key, user in world.users.items()}
    going = [p for p in world.people if outcome[p["hris_id"]] in ("create", "compare", "restore")]
    forbidden: set[str] = set()
    ids, lost = _claims(world, going, _wanted_ids(world, going, forbidden), "employee_id")
    for person in [p for p in going if p["hris_id"] in lost]:
        hris_id, keeper = person["hris_id"], holder(world, person)
        outcome[hris_id] = "excluded:ignored" if ignored(world, hris_id) else "conflict"
        if keeper and outcome[hris_id] == "conflict":
            world.conflicts.add((hris_id, keeper))
    going = [p for p in going if p["hris_id"] not in lost]
    emails, _ = _claims(world, going, _wanted_emails(world, going, forbidden), "email")
    known = _known(world, going, ids)
    for person in going:
        hris_id = person["hris_id"]
        before = world.users.get(world.user_of[hris_id] or "", _nobody())
        user = after[world.user_of[hris_id] or f"new:{hris_id}"] = dict(before)
        user |= {name: person[name] for name in FIELDS if name in person}
        user |= {"employee_id": ids[hris_id], "integration_id": world.integration, "hris_id": hris_id}
        user |= {"status": "active", "archived_by": None}
        if "email" in person:
            user["email"] = emails[hris_id]
            user["email_edited_by_user"] = before["email_edited_by_user"] and emails[hris_id] == before["email"]
        if "hire_date" in person:
            user["hire_date"] = _hire_date(world, person, before["hire_date"])
        if "supervisor_id" in person:
            kind = world.settings["mapping"].get("supervisor_id", DEFAULT_SOURCE["supervisor_id"])
            user["supervisor_id"] = _resolve(world, known, person["supervisor_id"], kind)
        user["metadata"] = _metadata(world, known, person, before["metadata"])
    return after, forbidden


def _nobody() -> Dict:
    return dict.fromkeys(STATE) | {"metadata": {}, "email_edited_by_user": False, "protected": False}


def _stored(world: World, person: Dict) -> Dict:
    return world.users.get(world.user_of[person["hris_id"]] or "", _nobody())


def _wanted_ids(world: World, going: list[Dict], forbidden: set[str]) -> dict[str, str | None]:
    wanted: dict[str, str | None] = {}
    if world.settings["employee_ids"] == "generated":
        numbers = [int(u["employee_id"]) for u in world.users.values() if (u["employee_id"] or "").isdecimal()]
        largest = max(numbers, default=0)
        for person in going:
            wanted[person["hris_id"]] = _stored(world, person)["employee_id"]
            if wanted[person["hris_id"]] is None:
                largest += 1
                wanted[person["hris_id"]] = f"{largest:06}"
        return wanted
    for person in going:
        stored, hris_id = _stored(world, person), person["hris_id"]
        wanted[hris_id] = stored["employee_id"] if stored["protected"] else person["employee_id"]
        if stored["protected"] and stored["employee_id"] != person["employee_id"]:
            forbidden.add(hris_id)
    return wanted


def _wanted_emails(world: World, going: list[Dict], forbidden: set[str]) -> dict[str, str | None]:
    wanted: dict[str, str | None] = {}
    for person in [p for p in going if "email" in p]:
        stored, hris_id = _stored(world, person), person["hris_id"]
        wanted[hris_id] = person["email"]
        if stored["email"] and stored["email_edited_by_user"] and not world.settings["override_emails"]:
            wanted[hris_id] = stored["email"]
        if stored["protected"] and wanted[hris_id] != stored["email"]:
            wanted[hris_id] = stored["email"]
            forbidden.add(hris_id)
    return wanted


def _claims(
    world: World, going: list[Dict], wanted: dict[str, str | None], name: str
) -> tuple[dict[str, str | None], set[str]]:
    """Who ends with which unique value, and whose wish was not granted: nobody takes what somebody else keeps."""

    def key(value: str | None) -> str | None:
        return value.casefold() if value and name == "email" else value

    stored = {person["hris_id"]: _stored(world, person)[name] for person in going}
    own = {world.user_of[person["hris_id"]] for person in going}
    kept = {key(user[name]) for user_id, user in world.users.items() if user_id not in own and user[name]}
    lost: set[str] = set()
    while True:
        final = {hris_id: stored[hris_id] if hris_id in lost else value for hris_id, value in wanted.items()}
        refused: set[str] = set()
        for hris_id in sorted(final):
            value = key(final[hris_id])
            if value is None or value == key(stored[hris_id]):
                continue
            rivals = [other for other in final if other != hris_id and key(final[other]) == value]
            if value in kept or any(key(stored[rival]) == value or rival < hris_id for rival in rivals):
                refused.add(hris_id)
        if not refused:
            return final, lost
        lost |= refused


def _known(world: World, going: list[Dict], ids: dict[str, str | None]) -> Dict:
    """EmployeeIds as they will be, by hris_id and by justworks_id, and all of them."""
    own = {world.user_of[person["hris_id"]] for person in going}
    rest = [user for user_id, user in world.users.items() if user_id not in own]
    by_hris_id = {user["hris_id"]: user["employee_id"] for user in rest if user["integration_id"] == world.integration}
    by_hris_id |= {person["hris_id"]: ids[person["hris_id"]] for person in going}
    everybody = {user["employee_id"] for user in rest} | {ids[person["hris_id"]] for person in going}
    listed = {person["justworks_id"]: person["hris_id"] for person in world.people if person["justworks_id"]}
    return {"hris_id": by_hris_id, "justworks_id": listed, "employee_id": everybody}


def _resolve(world: World, known: Dict, reference: str | None, source: str) -> str | None:
    if reference is None:
        return None
    person: str | None = known["hris_id"].get(known["justworks_id"].get(reference))
    itself = reference if reference in known["employee_id"] else None
    if source == "supervisor_hris_id":
        found: str | None = known["hris_id"].get(reference)
        return found
    if source == "supervisor_justworks_id":
        named = world.settings["mapping"].get("employee_id", "justworks_id") == "justworks_id"
        named = named and world.settings["employee_ids"] == "justworks"
        return person if reference in known["justworks_id"] or not named else itself
    return itself or person


def _metadata(world: World, known: Dict, person: Dict, before: Dict) -> Dict:
    metadata = dict(before)
    for entry in world.settings["metadata"]:
        name = entry["name"]
        if f"#{name}" in person:
            value = person[f"#{name}"]
            metadata[name] = _resolve(world, known, value, entry["source"]) if entry["type"] == "associated" else value
    return {name: value for name, value in metadata.items() if value is not None}


def _hire_date(world: World, person: Dict, stored: str | None) -> str | None:
    new: str | None = person["hire_date"]
    if stored is None or world.settings["override_hire_date"]:
        return new
    later = person["rehired_on"] and person["rehired_on"] > stored
    return new if world.settings["hire_date_priority"] == "latest" and later else stored


def _archive(world: World, outcome: dict[str, str], after: dict[str, Dict]) -> int:
    """Archives in ``after`` whoever leaves; gives how many of the missing stay because they may not be archived."""
    leaving = [str(world.user_of[hris_id]) for hris_id, word in outcome.items() if word == "archive"]
    kept = 0
    for user_id in world.managed():
        user = world.users[user_id]
        gone = user["hris_id"] in world.missing - world.quarantined - world.holes
        if not gone or user["status"] != "active" or user_id in world.user_of.values():
            continue
        if world.complete and world.settings["archive_employees"]:
            kept += _never_archived(world, user)
            leaving += [] if _never_archived(world, user) else [user_id]
    for user_id in leaving:
        after[user_id] |= {"status": "archived", "archived_by": "import"}
    return kept


def _counts(world: World, outcome: dict[str, str], after: dict[str, Dict], forbidden: set[str]) -> dict[str, int]:
    """Counts, and what ``compare`` came to in ``outcome``."""
    names = ("created", "updated", "restored", "unchanged", "excluded", "protected", "conflicts", "quarantined")
    counts = dict.fromkeys(names, 0)
    for hris_id, word in outcome.items():
        if word == "compare":
            user_id = str(world.user_of[hris_id])
            stays = "protected" if hris_id in forbidden else "unchanged"
            outcome[hris_id] = stays if after[user_id] == world.users[user_id] else "update"
    counted = {"create": "created", "update": "updated", "restore": "restored", "conflict": "conflicts"}
    for word in outcome.values():
        name = "excluded" if word.startswith("excluded:") else counted.get(word, word)
        if name != "archive":
            counts[name] += 1
    counts["archived"] = sum(
        after[key]["status"] == "archived" and user["status"] == "active" for key, user in world.users.items()
    )
    return counts
