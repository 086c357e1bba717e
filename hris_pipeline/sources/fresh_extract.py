"""What one process has just read, kept for the step that follows. It stands alone because every process has a place for
it, and hardly any ever reads a source: nothing is imported for it."""

from typing import TYPE_CHECKING

from hris_pipeline.sources.archive import Archive
from hris_pipeline.sources.protocol import Manifest

if TYPE_CHECKING:
    from hris_pipeline.sources.column_builder import ColumnBuilder, RawColumns

__all__ = ["FreshExtract"]


class FreshExtract:
    """The columns of the extract that this process read last, gathered while it was archived: whoever goes on from
    there need not read the archive again. They can be taken once, and only for that very extract."""

    def __init__(self) -> None:
        self._manifest: Manifest | None = None
        self._columns: ColumnBuilder | None = None

    def keep(self, manifest: Manifest, columns: "ColumnBuilder") -> None:
        """Keeps the columns of an extract, in place of any other's."""
        self._manifest, self._columns = manifest, columns if columns.is_whole else None

    def take(self, manifest: Manifest, archive: Archive) -> "RawColumns | None":
        """What ``read_columns`` would give, if it is here; it is not any more afterwards.

        Raises:
            UnknownName, FrameInvalid: the extract's lines are gone or damaged, though it was read just now.
        """
        if self._columns is None or self._manifest != manifest:
            return None
        archive.check(manifest)
        columns, self._columns = self._columns, None
        return columns.finish()
