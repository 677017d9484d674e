"""Files appear whole or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from stance.files import whole_file, write_whole
from stance.records import InputError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.txt"
    write_whole(path, "café\n")
    assert path.read_bytes() == b"caf\xc3\xa9\n"
    write_whole(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert names(path.parent) == ["file.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_old_file_stays_when_the_block_fails(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def run() -> None:
        with whole_file(path) as stream:
            stream.write(b"half of the n")
            raise error

    with pytest.raises(error):
        run()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"], "no temporary file is left"


def test_nothing_shows_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    with whole_file(path) as stream:
        stream.write(b"new")
        stream.flush()
        assert not path.exists()
    assert path.read_text() == "new"


def test_a_file_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file, not a folder")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "below.txt", tmp_path / "folder", tmp_path / ("long" * 100)):
        with pytest.raises(InputError, match="cannot be written") as caught:
            write_whole(path, "new")
        assert str(caught.value).startswith(f"{path}: ")
    assert names(tmp_path) == ["file", "folder"]
    assert not names(tmp_path / "folder")


@pytest.mark.skipif(os.name != "posix", reason="rights and pipes of POSIX")
class TestPosix:
    def test_rights_are_those_of_any_new_file(self, tmp_path: Path) -> None:
        before = os.umask(0o027)
        try:
            write_whole(tmp_path / "file.txt", "new")
        finally:
            os.umask(before)
        assert (tmp_path / "file.txt").stat().st_mode & 0o777 == 0o640

    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        target, link = tmp_path / "target.txt", tmp_path / "link.txt"
        target.write_text("old")
        link.symlink_to(target)
        write_whole(link, "new")
        assert link.is_symlink()
        assert target.read_text() == "new"

    def test_a_pipe_is_written_to_and_not_replaced(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        received: list[bytes] = []
        reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
        reader.start()
        write_whole(pipe, "new")
        reader.join(10)
        assert received == [b"new"]
        assert pipe.is_fifo()

    def test_the_null_device_survives(self) -> None:
        write_whole(Path(os.devnull), "new")
        assert Path(os.devnull).is_char_device()
