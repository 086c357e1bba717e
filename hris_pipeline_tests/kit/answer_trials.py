"""Trials of answers: one case of the oracle's generator, put to a real client and the real reading of all members, and
what it broke, if anything. Also asked in great numbers by the soak."""

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hris_pipeline.errors import ConnectionInvalid, SourceError
from hris_pipeline.sources.archive import Archive
from hris_pipeline.sources.extract import extract
from hris_pipeline.sources.pacing import Ceilings
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.sources.protocol import Source as Client
from hris_pipeline_tests.kit.answering_source import AnsweringSource, Single
from hris_pipeline_tests.kit.scripted_clients import open_client
from hris_pipeline_tests.kit.scripted_http import Handler
from hris_pipeline_tests.oracle.answers import Says, SingleCase, oversized, single_cases
from hris_pipeline_tests.oracle.company import not_found
from hris_pipeline_tests.oracle.list_answers import ListCase, list_cases
from hris_pipeline_tests.oracle.model import Source

__all__ = ["Transport", "Trial", "list_trials", "lookup_trials", "oversized_trial", "proof_trials"]

Transport = Callable[[Handler], AbstractContextManager[str]]
"""In the process or over sockets (``scripted_http``)."""

CEILINGS = Ceilings(answer_seconds=2.0, answer_bytes=8 << 20)
"""Short, so that an answer that never comes costs little, but no shorter than a busy machine may take."""

SAYS: dict[str, Says] = {"active": "active", "inactive": "gone", "not_found": "gone", "error": "hole"}
GONE = "m0"
"""Somebody whom no list shows."""


@dataclass(frozen=True)
class Trial:
    """One case by its kind, and what the law says was wrong ('' when nothing was)."""

    source: Source
    kind: str
    breach: str


def lookup_trials(source: Source, transport: Transport, *, seed: int, count: int) -> Iterator[Trial]:
    """Single answers about somebody missing: concluded is only what the case allows."""
    answering = AnsweringSource(source, _good_list(source))
    with transport(answering) as address:
        client = open_client(source, address, ceilings=CEILINGS)
        for case in single_cases(source, GONE, seed=seed, count=count):
            answering.begin(single=_always(case))
            said = _lookup(client, GONE)
            yield Trial(source, case.kind, "" if said in case.allowed else f"{said}, allowed {sorted(case.allowed)}")
        client.close()


def oversized_trial(source: Source, transport: Transport, size: int) -> Trial:
    """A small answer that unpacks to ``size`` bytes."""
    case = oversized(source, GONE, size)
    answering = AnsweringSource(source, _good_list(source), _always(case))
    with transport(answering) as address:
        client = open_client(source, address, ceilings=CEILINGS)
        said = _lookup(client, GONE)
        client.close()
    return Trial(source, case.kind, "" if said in case.allowed else said)


def proof_trials(source: Source, transport: Transport, folder: Path, *, seed: int, count: int) -> Iterator[Trial]:
    """The question put to the proof: one person is missing and not found, and of the others one answers anyhow."""
    answering = AnsweringSource(source, _good_list(source))
    with transport(answering) as address:
        for number in range(count):
            proof = _nth(source, "m1", seed, number)
            answering.begin(single=_proved_by(source, seed, number))
            manifest = _read(source, address, folder, {*answering.listing.everybody, GONE})
            yield Trial(source, f"proof:{proof.kind}", _proof_breach(proof, answering, manifest))


def list_trials(source: Source, transport: Transport, folder: Path, *, seed: int, count: int) -> Iterator[Trial]:
    """A list of people who all work, with single answers that are true, or never confirm anything: nobody may be
    gone."""
    chance = random.Random(f"{seed}/{source}/beside")
    answering = AnsweringSource(source, _good_list(source))
    with transport(answering) as address:
        for case in list_cases(source, seed=seed, count=count):
            truly = chance.random() < 0.5
            answering.begin(case, _truly if truly else _anyhow(source, chance))
            manifest = _read(source, address, folder, set(case.everybody))
            yield Trial(source, f"list:{case.kind}", _list_breach(case, manifest, truly=truly))


def _proof_breach(proof: SingleCase, answering: AnsweringSource, manifest: Manifest | None) -> str:
    if manifest is None:
        return "" if "stopped" in proof.allowed else "stopped"
    if not answering.asked or answering.asked[0] == GONE:
        return "the question was not put to the proof first"
    gone = manifest.complete and GONE in manifest.missing
    if gone and proof.proves_the_question is False:
        return "somebody is gone although the question proved nothing"
    if not gone and proof.proves_the_question is True:
        return "nobody is gone although the question was proved"
    return ""


def _list_breach(case: ListCase, manifest: Manifest | None, *, truly: bool) -> str:
    if manifest is not None and manifest.complete and manifest.missing:
        return f"gone: {sorted(manifest.missing)}"
    said = "stopped" if manifest is None else "complete" if manifest.complete else "incomplete"
    uncertain = not truly and len(case.listed) < len(case.everybody)
    return "" if said in case.allowed or (uncertain and said != "complete") else said


def _lookup(client: Client, hris_id: str) -> Says:
    try:
        answers = [answer for answer in client.lookup([hris_id]) if answer.hris_id == hris_id]
    except ConnectionInvalid:
        return "stopped"
    except SourceError:
        return "hole"
    return SAYS[answers[0].status] if answers else "hole"


def _read(source: Source, address: str, folder: Path, expected: set[str]) -> Manifest | None:
    """The verdict of a whole reading; None when it stopped."""
    client = open_client(source, address, ceilings=CEILINGS)
    try:
        return extract(
            client,
            Archive(str(folder / "files")),
            integration_id="acme",
            expected=expected,
            custom_fields=False,
            now=lambda: datetime(2026, 6, 15, tzinfo=UTC),
            shuffle=random.Random(1),
            ceilings=CEILINGS,
        )
    except SourceError:
        return None
    finally:
        client.close()
        shutil.rmtree(folder / "files", ignore_errors=True)


def _good_list(source: Source) -> ListCase:
    return next(case for case in list_cases(source, seed=0, count=99) if case.kind == "good")


def _nth(source: Source, hris_id: str, seed: int, number: int) -> SingleCase:
    """The case of that number, the same for everybody, but about that person."""
    return next(single_cases(source, hris_id, seed=seed * 1_000_003 + number, count=1))


def _truly(hris_id: str) -> None:
    """Everybody answers as somebody at work."""


def _always(case: SingleCase) -> Single:
    return lambda hris_id: case


def _proved_by(source: Source, seed: int, number: int) -> Single:
    """Who is missing is not found; who is listed answers as the case of that number."""

    def single(hris_id: str) -> SingleCase:
        if hris_id != GONE:
            return _nth(source, hris_id, seed, number)
        answer = not_found(source, GONE)
        allowed: frozenset[Says] = frozenset({"gone"})
        return SingleCase(source, GONE, "gone", answer.status, answer.headers, answer.body, "prompt", allowed)

    return single


def _anyhow(source: Source, chance: random.Random) -> Single:
    """Any answers but those that could confirm."""

    def single(hris_id: str) -> SingleCase | None:
        cases = single_cases(source, hris_id, seed=chance.randrange(1 << 30), count=20)
        return next((case for case in cases if not case.may_archive), None)

    return single
