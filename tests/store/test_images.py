"""The files of images: kept, read, taken along by exports, removed when nothing refers to them."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.kit.pictures import JPEG, PNG, picture
from tests.store.test_export import talk
from tui_chat.domain.attachments import MOST_BYTES
from tui_chat.domain.failure import StoreError
from tui_chat.domain.images import MOST_BYTES as MOST_IMAGE_BYTES
from tui_chat.store import export
from tui_chat.store.attachments import Picture, read
from tui_chat.store.database import Database
from tui_chat.store.images import KEPT_S, Images
from tui_chat.store.imports import read as read_import
from tui_chat.store.library import Library

SHOT, PHOTO = picture(), picture("b.jpg", JPEG)


@pytest.fixture
def images(tmp_path: Path) -> Images:
    return Images(tmp_path / "images")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    database = Database(tmp_path / "data" / "store.db")
    yield Library(database)
    database.close()


def files(folder: Path) -> set[str]:
    return set(os.listdir(folder)) if folder.exists() else set()


def grow_old(images: Images) -> None:
    before = time.time() - KEPT_S - 60
    for path in images.folder.iterdir():
        os.utime(path, (before, before))


async def test_what_is_kept_is_private_and_read_again(images: Images) -> None:
    images.keep(SHOT, PNG)
    (file,) = images.folder.iterdir()
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(images.folder.stat().st_mode)) == (0o600, 0o700)
    assert Images(images.folder).read(SHOT.digest) == PNG
    assert await Images(images.folder).base64(PHOTO.digest) is None


def test_without_the_disk_it_is_there_as_long_as_the_program_runs(images: Images) -> None:
    images.keep(SHOT, PNG, on_disk=False)
    assert images.read(SHOT.digest) == PNG
    assert not images.folder.exists()


def test_what_the_disk_does_not_take_is_held(images: Images) -> None:
    images.folder.write_text("in the way")
    with pytest.raises(StoreError, match="images"):
        images.keep(SHOT, PNG)
    assert images.read(SHOT.digest) == PNG


def test_a_damaged_file_is_none(images: Images) -> None:
    images.keep(SHOT, PNG)
    (images.folder / SHOT.digest).write_bytes(PNG[:-1])
    assert images.read(SHOT.digest) is None


@pytest.mark.parametrize("place", ["question", "draft", "queue"])
def test_old_images_go_unless_something_refers_to_them(library: Library, place: str) -> None:
    library.images.keep(SHOT, PNG)
    library.images.keep(PHOTO, JPEG)
    form = talk(question=f"look {SHOT.block}") if place == "question" else talk()
    form = replace(form, draft=SHOT.block) if place == "draft" else form
    form = replace(form, queue=[SHOT.block]) if place == "queue" else form
    library.add(form)
    library.drop_images()
    assert files(library.images.folder) == {SHOT.digest, PHOTO.digest}
    grow_old(library.images)
    library.drop_images()
    assert files(library.images.folder) == {SHOT.digest}


def test_what_is_attached_again_is_young_again(library: Library) -> None:
    library.images.keep(SHOT, PNG)
    grow_old(library.images)
    library.images.keep(SHOT, PNG)
    library.drop_images()
    assert library.images.read(SHOT.digest) == PNG


def test_a_deleted_conversation_keeps_its_images_until_it_is_purged(library: Library) -> None:
    library.images.keep(SHOT, PNG)
    form = talk(question=f"look {SHOT.block}")
    library.add(form)
    grow_old(library.images)
    library.delete(form.id)
    library._database.flush(5)
    library.drop_images()
    assert files(library.images.folder) == {SHOT.digest}
    library.purge(now=time.time() + KEPT_S)
    deadline = time.monotonic() + 20
    while files(library.images.folder) and time.monotonic() < deadline:
        # A purge goes in steps.
        library._database.flush(5)
        library.drop_images()
    assert files(library.images.folder) == set()


def test_an_export_takes_images_along(library: Library, tmp_path: Path) -> None:
    library.images.keep(SHOT, PNG)
    form = talk(question=f"look {SHOT.block}<b>")
    library.add(form)
    export.write(library, [form.id], tmp_path / "x.json", "json")
    export.write(library, [form.id], tmp_path / "x.html", "html")
    export.write(library, [form.id], tmp_path / "x.md", "md")
    page = (tmp_path / "x.html").read_text()
    assert '<img src="data:image/png;base64,iVBOR' in page
    assert "img-src data:" in page
    assert "<b>" not in page
    assert "look [image: shot.png, 5×3, 77 B]<b>" in (tmp_path / "x.md").read_text()
    other = Library(Database(tmp_path / "other" / "store.db"))
    read_import(other, tmp_path / "x.json")
    assert other.images.read(SHOT.digest) == PNG
    assert other.form(form.id).nodes[0].text == f"look {SHOT.block}<b>"
    other._database.close()


def test_an_import_keeps_no_image_that_is_not_what_it_is_called(library: Library) -> None:
    digest = "../../evil"
    library.add(replace(talk(), images={SHOT.digest: "AAAA", PHOTO.digest: "%%%", digest: "AAAA"}))
    assert files(library.images.folder) == set()


@pytest.mark.parametrize(("name", "data"), [("shot.png", PNG), ("photo", JPEG)])
def test_an_image_is_known_by_what_it_holds(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    found = read(str(tmp_path / name))
    assert isinstance(found, Picture)
    assert (found.image.width, found.image.height, found.data) == (5, 3, data)


def test_an_image_may_be_larger_than_a_text_but_not_without_limit(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(PNG + b"\0" * MOST_BYTES)
    assert isinstance(read(str(path)), Picture)
    path.write_bytes(PNG + b"\0" * MOST_IMAGE_BYTES)
    with pytest.raises(StoreError, match=r"10\.0 MB is the limit"):
        read(str(path))


def test_an_image_without_a_size_is_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.gif"
    path.write_bytes(b"GIF89a\0\0\0\0 and more")
    with pytest.raises(StoreError, match="how large the image is"):
        read(str(path))
