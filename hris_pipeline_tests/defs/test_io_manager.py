"""Where frames are kept: whole or not at all, readable by their owner alone, in a folder or a bucket."""

import dataclasses
import errno
import stat
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow.parquet as pq
import pytest
from cryptography.fernet import Fernet
from upath import UPath

from hris_pipeline.defs.io_manager import FrameIOManager, Traced, check_frames, frames_root, purge_frames, remove_frames
from hris_pipeline.errors import HrisError, MachineError, Tampered, UnknownName
from hris_pipeline.store.keyring import Keyring
from hris_pipeline.transform.columns import DATE, FLAG, TEXT

KEYRING = Keyring((Fernet.generate_key().decode(),))

PARTITIONS = dg.StaticPartitionsDefinition(["acme", "acme-2"])

ROWS = pd.DataFrame(
    {
        "name": pd.Series(["Zoë", None], dtype=TEXT),
        "born": pd.Series([date(1990, 2, 28), None], dtype=DATE),
        "active": pd.Series([True, None], dtype=FLAG),
    }
)
FRAME = Traced(ROWS, "20260102T030405Z-000abc", "digest", {"phone_not_international": ("h1", "h2")})


@pytest.fixture(params=["folder", "bucket"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> UPath:
    return frames_root(str(tmp_path / "files") if request.param == "folder" else f"memory://{tmp_path.name}/files")


def keep(root: UPath, frame: object, manager: type[FrameIOManager] = FrameIOManager, name: str = "acme") -> None:
    @dg.asset(name="employees", partitions_def=PARTITIONS, io_manager_key="frames")
    def made() -> Any:
        return frame

    dg.materialize([made], partition_key=name, resources={"frames": manager(root, KEYRING)})


def load(root: UPath, name: str = "acme") -> Any:
    kept = []

    @dg.asset(partitions_def=PARTITIONS)
    def reader(employees: Any) -> None:
        kept.append(employees)

    upstream = dg.AssetSpec("employees", partitions_def=PARTITIONS, metadata={"dagster/io_manager_key": "frames"})
    dg.materialize([upstream, reader], partition_key=name, resources={"frames": FrameIOManager(root, KEYRING)})
    return kept[0]


def files(root: UPath) -> list[str]:
    return sorted(path.name for path in (root / "employees").iterdir())


class Breaking(FrameIOManager):
    """Cannot write what it is given."""

    def encode(self, value: Traced, name: str) -> bytes:
        raise ValueError("cannot write Zoë")


class OnFullDisk(FrameIOManager):
    """Cannot write at all."""

    def encode(self, value: Traced, name: str) -> bytes:
        raise OSError(errno.ENOSPC, "Zoë")


def test_a_frame_comes_back_with_its_types_its_origin_and_its_warnings(root: UPath) -> None:
    keep(root, FRAME)
    loaded = load(root)
    pd.testing.assert_frame_equal(loaded.rows, ROWS)
    assert loaded.rows.dtypes.tolist() == [TEXT, DATE, FLAG]
    assert (loaded.extract_id, loaded.settings_digest) == (FRAME.extract_id, FRAME.settings_digest)
    assert loaded.warnings == FRAME.warnings


def test_the_frames_that_travel_with_a_frame_come_back_too(root: UPath) -> None:
    nobody = ROWS[:0]
    keep(root, dataclasses.replace(FRAME, also={"failed": ROWS[1:].reset_index(drop=True), "unread": nobody}))
    also = load(root).also
    assert set(also) == {"failed", "unread"}
    pd.testing.assert_frame_equal(also["failed"], ROWS[1:].reset_index(drop=True))
    assert dict(also["unread"].dtypes) == dict(nobody.dtypes)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(root: UPath) -> None:
    keep(root, FRAME)
    with pytest.raises(HrisError):
        keep(root, FRAME, Breaking)
    assert files(root) == ["acme.parquet"]
    pd.testing.assert_frame_equal(load(root).rows, ROWS)


def test_an_error_on_the_way_says_nothing_of_what_was_written(root: UPath) -> None:
    with pytest.raises(HrisError, match="keeping employees failed unexpectedly \\(ValueError\\)") as raised:
        keep(root, FRAME, Breaking)
    assert "Zoë" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_what_this_machine_lacks_is_said_in_words(root: UPath) -> None:
    with pytest.raises(MachineError, match="the disk is full"):
        keep(root, FRAME, OnFullDisk)


def test_a_frame_that_was_never_made_names_the_asset_to_materialize(root: UPath) -> None:
    with pytest.raises(UnknownName, match="acme has no employees yet: materialize employees for it first"):
        load(root)


def test_local_files_and_folders_are_their_owners_alone(tmp_path: Path) -> None:
    root = frames_root(str(tmp_path / "files"))
    keep(root, FRAME)
    modes = [stat.S_IMODE(Path(str(path)).stat().st_mode) for path in (root, root / "employees")]
    assert modes == [0o700, 0o700]
    assert stat.S_IMODE(Path(str(root / "employees" / "acme.parquet")).stat().st_mode) == 0o600


def test_the_file_is_zstd_parquet_that_any_tool_reads(tmp_path: Path) -> None:
    root = frames_root(str(tmp_path / "files"))
    keep(root, FRAME)
    file = pq.ParquetFile(root / "employees" / "acme.parquet")
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert file.schema_arrow.names == ["name", "born", "active"]


def test_an_integrations_frames_can_be_removed_without_touching_others(root: UPath) -> None:
    for name in ("acme", "acme-2"):
        keep(root, FRAME, name=name)
    remove_frames(root, "acme")
    assert files(root) == ["acme-2.parquet"]


def test_frames_go_after_the_retention(tmp_path: Path) -> None:
    root = frames_root(str(tmp_path / "files"))
    keep(root, FRAME)
    assert purge_frames(root, datetime.now(UTC) - timedelta(days=1)) == 0
    assert purge_frames(root, datetime.now(UTC) + timedelta(days=1)) == 1
    assert files(root) == []


@pytest.mark.parametrize("place", [4, 100, 0.5, -400, -5])
def test_a_frame_with_one_bit_changed_is_refused(root: UPath, place: float) -> None:
    keep(root, FRAME)
    path = root / "employees" / "acme.parquet"
    content = bytearray(path.read_bytes())
    content[int(place * len(content)) if isinstance(place, float) else place] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(Tampered, match="employees of acme was changed"):
        check_frames(root, KEYRING, "acme")
    with pytest.raises(HrisError):
        load(root)


def test_a_frame_takes_no_other_companys_place_nor_is_one_of_another_key(root: UPath) -> None:
    keep(root, FRAME)
    check_frames(root, KEYRING, "acme")
    check_frames(root, Keyring((Fernet.generate_key().decode(), *KEYRING.keys)), "acme")
    (root / "employees" / "acme-2.parquet").write_bytes((root / "employees" / "acme.parquet").read_bytes())
    with pytest.raises(Tampered):
        check_frames(root, KEYRING, "acme-2")
    with pytest.raises(Tampered):
        check_frames(root, Keyring((Fernet.generate_key().decode(),)), "acme")
