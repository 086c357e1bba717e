"""The oracle's part of "Who is who": which user each person is. Written only from SEMANTICS.md."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

Dict = dict[str, Any]


@dataclass
class World:
    """Everything one expectation is computed from."""

    people: list[Dict]
    users: dict[str, Dict]
    settings: Dict
    integration: str
    today: str
    complete: bool
    missing: set[str]
    holes: set[str]
    quarantined: set[str]
    resolutions: list[tuple[str, str, str]]
    user_of: dict[str, str | None] = field(default_factory=dict)
    conflicts: set[tuple[str, str]] = field(default_factory=set)

    def managed(self) -> list[str]:
        return [key for key, user in self.users.items() if user["integration_id"] == self.integration]


def employed(world: World, person: Dict) -> bool:
    return bool(person["active"]) and not (person["termination_date"] and person["termination_date"] < world.today)


def started(world: World, person: Dict) -> bool:
    early = timedelta(days=world.settings["import_days_before_start"])
    return not person["starts_on"] or person["starts_on"] <= (date.fromisoformat(world.today) + early).isoformat()


def _candidate(world: World, person: Dict) -> bool:
    return employed(world, person) and started(world, person) and not person["exclusion"]


def _gone(world: World) -> set[str]:
    gone = set(world.missing) | {person["hris_id"] for person in world.people if not employed(world, person)}
    listed = {person["hris_id"] for person in world.people} | world.quarantined
    for user in world.users.values():
        if world.complete and user["archived_by"] == "import" and user["hris_id"] and user["hris_id"] not in listed:
            gone.add(user["hris_id"])
    return gone - world.holes


def recognise(world: World) -> None:
    """Which user each person is (``user_of``), and the conflicts."""
    link = {world.users[key]["hris_id"]: key for key in world.managed()}
    world.user_of = {person["hris_id"]: link.get(person["hris_id"]) for person in world.people}
    decided = _decided(world)
    _take_over(world, decided)
    strangers = [p for p in world.people if _candidate(world, p) and not world.user_of[p["hris_id"]]]
    strangers = [p for p in strangers if not ignored(world, p["hris_id"])]
    relinks: dict[str, str] = {}
    gone = _gone(world)
    for person in strangers:
        found = holder(world, person)
        if found is None or found in decided.values():
            continue
        owner = world.users[found]
        same = _same_email(person, owner) or _same_name(person, owner)
        if owner["integration_id"] is None:
            world.user_of[person["hris_id"]] = found
        elif owner["integration_id"] == world.integration and owner["hris_id"] in gone and same:
            relinks[person["hris_id"]] = found
    if len(relinks) < 5 or len(relinks) <= 0.05 * len(world.managed()):
        _take_over(world, relinks)
    for person in strangers:
        if not world.user_of[person["hris_id"]]:
            _collide(world, person)


def _decided(world: World) -> dict[str, str]:
    """What people linked by hand, each user once."""
    decided: dict[str, str] = {}
    for person in world.people:
        for hris_id, user_id, decision in world.resolutions:
            mine = decision == "link" and hris_id == person["hris_id"] and world.user_of[hris_id] is None
            if mine and _candidate(world, person) and user_id in world.users and user_id not in decided.values():
                decided[hris_id] = user_id
    return decided


def _take_over(world: World, links: dict[str, str]) -> None:
    for hris_id, user_id in world.user_of.items():
        if user_id in links.values():
            world.user_of[hris_id] = None
    world.user_of.update(links)


def ignored(world: World, hris_id: str) -> bool:
    return any(decision == "ignore" and known == hris_id for known, _, decision in world.resolutions)


def holder(world: World, person: Dict) -> str | None:
    wanted = person.get("employee_id")
    return next((key for key, user in world.users.items() if wanted and user["employee_id"] == wanted), None)


def _same_email(person: Dict, user: Dict) -> bool:
    email, other = person.get("email"), user["email"]
    return bool(email and other and email.casefold() == other.casefold())


def _same_name(person: Dict, user: Dict) -> bool:
    for name in ("first_name", "last_name", "birth_date"):
        if not person.get(name) or not user[name] or person[name].casefold() != user[name].casefold():
            return False
    return True


def _collide(world: World, person: Dict) -> None:
    hris_id, keeper = person["hris_id"], holder(world, person)
    if keeper is not None:
        world.conflicts.add((hris_id, keeper))
        return
    for key, user in world.users.items():
        apart = (hris_id, key, "create") in world.resolutions
        if (_same_email(person, user) or _same_name(person, user)) and not apart:
            world.conflicts.add((hris_id, key))
