"""Extracts as stored: whole or not at all, verifiable, and gone when they should be."""

import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from upath import UPath

from hris_pipeline.errors import FrameInvalid, UnknownName
from hris_pipeline.files import open_root
from hris_pipeline.sources.archive import Archive
from hris_pipeline.sources.protocol import Company, Manifest

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LINES = [b'{"id":"%d","name":"\xd0\x96\xc3\xa9"}' % number for number in range(50_000)]


def test_a_buckets_listings_are_never_kept_by_a_process_that_lives_long() -> None:
    """Else retention, which lists, would never see what other machines wrote since the first look."""
    root = open_root("s3://bucket/files")
    for path in (root, root / "extracts" / "acme", (root / "extracts").parent):
        assert path.storage_options["use_listings_cache"] is False


@pytest.fixture(params=["folder", "file-url", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    roots = {
        "folder": f"{tmp_path}/files",
        "file-url": f"file://{tmp_path}/files",
        "memory": f"memory://{tmp_path.name}",
    }
    yield roots[request.param]
    UPath("memory://").fs.store.clear()


def stored(archive: Archive, lines: list[bytes], moment: datetime = NOON, integration_id: str = "acme") -> Manifest:
    extract_id = archive.new_id(integration_id, moment)
    file = archive.write(integration_id, extract_id, iter(lines))
    manifest = Manifest(
        extract_id=extract_id,
        integration_id=integration_id,
        source="justworks",
        started_at=moment,
        finished_at=moment,
        records=len(lines),
        complete=True,
        company=Company("c", "Acme"),
        file=file.file,
        sha256=file.sha256,
        size=file.size,
    )
    archive.record(manifest)
    return manifest


@pytest.mark.parametrize("lines", [[], [b"{}"], LINES], ids=["none", "one", "many"])
def test_what_was_written_is_read(root: str, lines: list[bytes]) -> None:
    manifest = stored(Archive(root), lines)
    again = Archive(root)
    assert again.latest("acme") == manifest
    assert list(again.lines(manifest)) == lines
    path = UPath(root) / manifest.file
    assert manifest.file == f"extracts/acme/{manifest.extract_id}.jsonl.zst"
    assert path.stat().st_size == manifest.size


def test_extracts_sort_by_time_also_within_a_second(root: str) -> None:
    archive = Archive(root)
    ids = [stored(archive, [b"{}"], moment).extract_id for moment in (NOON, NOON, NOON, NOON + timedelta(seconds=1))]
    assert list(archive.extracts("acme")) == ids == sorted(ids)
    assert archive.extracts("other") == ()
    assert archive.latest("other") is None


def test_an_extract_that_fails_while_being_written_leaves_nothing(root: str) -> None:
    archive = Archive(root)

    def failing() -> Iterator[bytes]:
        yield from LINES
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archive.write("acme", archive.new_id("acme", NOON), failing())
    assert list((UPath(root) / "extracts" / "acme").iterdir()) == []


@pytest.mark.parametrize("damage", [lambda body: body[:-9], lambda body: b"x" + body[1:], lambda _: b""])
def test_a_damaged_file_is_refused_before_its_first_line(root: str, damage: object) -> None:
    archive = Archive(root)
    manifest = stored(archive, LINES[:100])
    path = UPath(root) / manifest.file
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(FrameInvalid, match=f"{manifest.extract_id} of acme is damaged.*hris preview acme"):
        archive.lines(manifest)


def test_a_damaged_manifest_is_refused(root: str) -> None:
    archive = Archive(root)
    manifest = stored(archive, [b"{}"])
    (UPath(root) / "extracts" / "acme" / f"{manifest.extract_id}.json").write_bytes(b"{")
    with pytest.raises(FrameInvalid, match="hris preview acme"):
        archive.latest("acme")


@pytest.mark.parametrize("extract_id", ["20261122T120000Z-000000", "", "../../secret", "nonsense"])
def test_an_unknown_extract_is_named_with_the_remedy(root: str, extract_id: str) -> None:
    with pytest.raises(UnknownName, match="hris preview acme"):
        Archive(root).manifest("acme", extract_id)


def test_an_extract_whose_lines_are_gone_is_unknown(root: str) -> None:
    archive = Archive(root)
    manifest = stored(archive, [b"{}"])
    (UPath(root) / manifest.file).unlink()
    with pytest.raises(UnknownName):
        archive.lines(manifest)


def test_all_extracts_of_one_integration_are_deleted(root: str) -> None:
    archive = Archive(root)
    stored(archive, [b"{}"])
    stored(archive, [b"{}"])
    other = stored(archive, [b"{}"], integration_id="other")
    archive.delete("acme")
    archive.delete("acme")
    assert archive.extracts("acme") == ()
    assert archive.latest("other") == other


def test_purging_removes_what_is_older_and_what_was_left_half_written(root: str) -> None:
    archive = Archive(root)
    old = stored(archive, [b"{}"], NOON - timedelta(days=91))
    new = stored(archive, [b"{}"], NOON)
    half = UPath(root) / "extracts" / "acme" / f".{old.extract_id}.jsonl.zst.0badf00d"
    half.write_bytes(b"")
    assert archive.purge(NOON - timedelta(days=90)) == 1
    assert archive.extracts("acme") == (new.extract_id,)
    assert len(list((UPath(root) / "extracts" / "acme").iterdir())) == 2
    assert archive.purge(NOON - timedelta(days=90)) == 0


def test_local_files_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    stored(Archive(str(tmp_path / "files")), [b"{}"])
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "files").rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}


def test_a_manifest_is_plain_json_beside_its_lines(tmp_path: Path) -> None:
    manifest = stored(Archive(str(tmp_path)), [b"{}"])
    read = msgspec.json.decode((tmp_path / "extracts" / "acme" / f"{manifest.extract_id}.json").read_bytes())
    assert read["sha256"] == manifest.sha256
    assert read["complete"] is True
