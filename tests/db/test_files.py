from pathlib import Path

from kassa.db.files import read_private, write_private


def test_a_private_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    write_private(tmp_path / "key", b"one")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert read_private(tmp_path / "key") == b"one"


def test_a_new_content_takes_the_place_of_the_old_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_private(tmp_path / "key", b"one")
    write_private(tmp_path / "key", b"two")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("key", b"two")]


def test_a_secret_that_is_there_already_stays(tmp_path: Path) -> None:
    write_private(tmp_path / "key", b"one", replace=False)
    write_private(tmp_path / "key", b"two", replace=False)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("key", b"one")]


def test_a_file_that_is_not_there_reads_as_none(tmp_path: Path) -> None:
    assert read_private(tmp_path / "key") is None
