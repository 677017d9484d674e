"""Web pages → text, in a child process that no page can keep busy, fill, or bring down for the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from stance.extraction import LARGEST_PAGE, ExtractionError, Extractor, Page, require_html
from stance.records import InputError
from stance.sentences import split_statements

URL: Final = "https://www.calvessa-post.example/world/port"
POSIX: Final = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
LINUX: Final = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
TITLE: Final = "Meren denies closing port"
LEAD: Final = "CALVESSA – The government of Meren on Thursday denied that it had closed the port to foreign ships."
BODY: Final = (
    LEAD,
    "Talks to go on",
    "The foreign minister said that talks with Orland would go on next week.",
    "A spokesman for the harbour called on both sides to return to the table before the end of the month.",
)
META: Final = (
    '<meta property="og:title" content="Meren denies closing port">'
    '<meta property="og:site_name" content="The Calvessa Post">'
    '<meta property="article:modified_time" content="2021-03-09T05:06:07Z">'
    '<meta property="article:published_time" content="2021-03-04T11:06:07Z">'
)


def html(
    *, head: str = META, title: str = "Meren denies closing port", h1: str = "", body: tuple[str, ...] = BODY
) -> str:
    paragraphs = "".join(f"<h2>{each}</h2>" if "." not in each else f"<p>{each}</p>" for each in body)
    return (
        f"<!DOCTYPE html><html lang=en><head><title>{title}</title>{head}</head><body>"
        "<header><nav><a href=/>Home</a> <a href=/world>World</a></nav></header>"
        f"<main><article>{h1}{paragraphs}<table><tr><td>January</td><td>120 ships</td></tr></table></article>"
        "<section id=comments><div class=comment><p>All of it is a lie, as everybody knows.</p></div></section></main>"
        "<footer><p>Copyright 2019 The Calvessa Post. All rights reserved.</p></footer></body></html>"
    )


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor() as one:
        yield one


def child(extractor: Extractor) -> int:
    assert extractor._child is not None
    return extractor._child.pid


def refused(extractor: Extractor, page: bytes, url: str = "") -> str:
    with pytest.raises(ExtractionError) as caught:
        extractor.extract(page, url)
    reason = str(caught.value)
    assert reason
    assert "\n" not in reason
    return reason


def is_running(pid: int) -> bool:
    try:
        # A zombie has ended; in a container nobody may be there to collect it.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_running(pid)


# The text


def test_an_article_gives_its_text_title_date_and_source(extractor: Extractor) -> None:
    page = extractor.extract(html().encode(), URL)
    text = "\n".join(("Meren denies closing port", "", *BODY))
    assert page == Page(text, "Meren denies closing port", "2021-03-04", "The Calvessa Post")
    assert [s.part for s in split_statements(page.text)] == ["title", "body", "subhead", "body", "body"]


@pytest.mark.parametrize("h1", ["Meren denies closing port", "Meren  Denies\nClosing Port"])
def test_the_title_stands_in_the_text_once(extractor: Extractor, h1: str) -> None:
    page = extractor.extract(html(h1=f"<h1>{h1}</h1>").encode(), URL)
    assert page.title == " ".join(h1.split())
    assert page.text == "\n".join((page.title, "", *BODY))


@pytest.mark.parametrize("title", [f"{TITLE} | The Calvessa Post", f"{TITLE} - World"])
def test_the_name_of_the_site_is_no_part_of_the_title(extractor: Extractor, title: str) -> None:
    head = f'<meta property="og:title" content="{title}"><meta property="og:site_name" content="The Calvessa Post">'
    page = extractor.extract(html(head=head, h1="<h1>Meren denies closing port</h1>").encode())
    assert page.title == "Meren denies closing port"
    assert page.text.startswith("Meren denies closing port\n\nCALVESSA")


def test_a_text_that_goes_on_from_the_title_is_not_its_title(extractor: Extractor) -> None:
    head = '<meta property="og:title" content="CALVESSA – The government">'
    page = extractor.extract(html(head=head).encode())
    assert page.text == "\n".join(("CALVESSA – The government", "", *BODY))


def test_without_metadata_the_host_is_the_source_and_there_is_no_date(extractor: Extractor) -> None:
    page = extractor.extract(html(head="").encode(), URL)
    assert (page.source, page.date) == ("calvessa-post.example", "")
    page = extractor.extract(html(head="", title="", body=(LEAD, *BODY[2:])).encode())
    assert page == Page("\n".join((LEAD, *BODY[2:])), "", "", "")


def test_the_last_change_is_a_date_only_where_there_is_no_other(extractor: Extractor) -> None:
    head = META.replace("article:published_time", "nothing")
    assert extractor.extract(html(head=head).encode(), URL).date == "2021-03-09"
    assert extractor.extract(html(head=head).encode(), f"{URL}/2021/03/04/").date == "2021-03-04"


def test_a_page_set_in_a_table_keeps_its_paragraphs(extractor: Extractor) -> None:
    rest = "".join(f"<p>On day {number} of the blockade the port of Calvessa stayed open.</p>" for number in range(9))
    page = f"<html><body><table><tr><td>Home</td><td><p>{LEAD}</p>{rest}</td></tr></table></body></html>"
    lines = extractor.extract(page.encode()).text.split("\n")
    assert len(lines) == 10
    assert lines[0].endswith(LEAD)


ACCENTS: Final = ("José Peña of São Tiago denied it on Monday – “never”, he said.", *BODY)
RUSSIAN: Final = ("Министр Мерена в понедельник опроверг сообщения о закрытии порта.",) * 3


@pytest.mark.parametrize(
    ("charset", "lines"),
    [
        ("utf-8", ACCENTS),
        ("utf-16", ACCENTS),
        ("iso-8859-1", tuple(line.translate({0x2013: "-", 0x201C: '"', 0x201D: '"'}) for line in ACCENTS)),
        ("windows-1252", ACCENTS),
        ("windows-1251", RUSSIAN),
        ("koi8-r", RUSSIAN),
    ],
)
def test_the_encoding_that_a_page_names_is_used(extractor: Extractor, charset: str, lines: tuple[str, ...]) -> None:
    page = html(head=f"<meta charset={charset}>", title="", body=lines).encode(charset)
    assert lines[0] in extractor.extract(page).text


@pytest.mark.parametrize("url", ["", "x", "ftp://a/b", "https://", "https://[", "https://\ud800/", "https://a b/\0\n"])
def test_an_odd_url_costs_nothing_but_the_host(extractor: Extractor, url: str) -> None:
    page = extractor.extract(html().encode(), url)
    assert page.source == "The Calvessa Post"
    assert page.date == "2021-03-04"


def test_the_same_page_gives_the_same_from_any_child(extractor: Extractor) -> None:
    page = html(head="", h1="<h1>Meren denies</h1>").encode()
    first = extractor.extract(page, URL)
    for number in range(20):
        extractor.extract(html(body=(f"Orland said number {number} was enough of it.",) * 5).encode())
    assert extractor.extract(page, URL) == first
    with Extractor() as another:
        assert another.extract(page, URL) == first


# Pages that are none, and pages that mean harm

LAUGHS: Final = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b" \n",
        b"<html></html>",
        b"<html><body><script>var denied = 'Meren denied it.'</script></body></html>",
        b"\0" * 100_000,
        b"<div>" * 100_000 + b"<p>Meren denied it.</p>",
        b"<html><body>" + b"<table><tr><td>" * 50_000,
        b"<!--" * 1_000_000,
    ],
    ids=["empty", "blank", "no body", "script", "NUL", "deep", "deep tables", "comments"],
)
def test_what_holds_no_article_is_refused(extractor: Extractor, page: bytes) -> None:
    assert refused(extractor, page) == "has no main text"
    assert extractor.extract(html().encode()).title == "Meren denies closing port"


def test_entities_are_not_multiplied(extractor: Extractor) -> None:
    page = html().replace("<!DOCTYPE html>", f'<?xml version="1.0"?><!DOCTYPE html [<!ENTITY l0 "Meren">{LAUGHS}]>')
    assert len(extractor.extract(page.replace("A spokesman", "&l9; A spokesman").encode()).text) < 1_000


def test_zero_bytes_are_no_part_of_the_text(extractor: Extractor) -> None:
    page = extractor.extract(html().replace("Meren", "Me\0ren").encode())
    assert page.text == "\n".join(("Meren denies closing port", "", *BODY))


def test_a_huge_attribute_is_passed_over(extractor: Extractor) -> None:
    page = html().replace("<article>", f"<article data-x='{'x' * 5_000_000}'>")
    assert extractor.extract(page.encode()).text == "\n".join(("Meren denies closing port", "", *BODY))


def test_a_page_of_15_mib_passes_and_a_larger_one_is_not_even_sent(extractor: Extractor) -> None:
    padding = b"<!--" + b"x" * (1 << 20) + b"-->"
    assert extractor.extract(html().replace("<nav>", (padding * 15).decode() + "<nav>").encode()).text.endswith(
        BODY[-1]
    )
    before = child(extractor)
    assert refused(extractor, b"x" * (LARGEST_PAGE + 1)) == "longer than 16 MiB"
    assert child(extractor) == before


# Limits


def long_page(paragraphs: int) -> bytes:
    return html(
        body=tuple(f"Meren denied report {number} on Monday, and talks went on." for number in range(paragraphs))
    ).encode()


def test_a_page_that_takes_too_long_is_refused_and_the_next_one_read() -> None:
    with Extractor(seconds=1.0) as extractor:
        assert extractor.extract(html().encode()).title
        before = child(extractor)
        start = time.monotonic()
        assert refused(extractor, long_page(150_000)) == "extraction took longer than 1 s"
        assert time.monotonic() - start < 5
        assert extractor.extract(html().encode()).title
        assert child(extractor) != before


@pytest.mark.slow
@LINUX
def test_a_page_that_needs_too_much_memory_is_refused_and_the_next_one_read() -> None:
    with Extractor(memory=100 << 20) as extractor:
        assert extractor.extract(html().encode()).title
        # The second time it is the child's first page.
        for _ in range(2):
            assert refused(extractor, b"<html><body>" + b"<a b=c>" * 500_000) == "extraction needed more than 100 MiB"
        assert extractor.extract(html().encode()).title


@LINUX
def test_a_memory_that_holds_not_even_the_library_refuses_every_page() -> None:
    with Extractor(memory=1 << 20) as extractor:
        assert refused(extractor, html().encode()) == "extraction needed more than 1 MiB"


@pytest.mark.slow
@LINUX
def test_under_any_limit_a_page_is_read_whole_or_refused() -> None:
    page = long_page(5_000)
    with Extractor() as extractor:
        whole = extractor.extract(page)
    refusals = []
    for memory in (60, 70, 76, 82, 110):
        with Extractor(memory=memory << 20) as extractor:
            try:
                assert extractor.extract(page) == whole
            except ExtractionError as error:
                refusals.append(str(error) == f"extraction needed more than {memory} MiB")
    assert 0 < len(refusals) < 5
    assert all(refusals)


# The child


@POSIX
def test_a_child_killed_between_pages_is_replaced(extractor: Extractor) -> None:
    expected = extractor.extract(html().encode())
    for _ in range(3):
        os.kill(child(extractor), signal.SIGKILL)
        assert extractor.extract(html().encode()) == expected


@LINUX
def test_a_child_killed_over_a_page_refuses_that_page_alone() -> None:
    killer = "import os, sys, time; time.sleep(1); os.kill(int(sys.argv[1]), 9)"
    with Extractor() as extractor:
        extractor.extract(html().encode())
        # Reading goes on in a fresh child once; that one is killed too, by its own first page.
        extractor.close()
        extractor._child = extractor._start()
        os.kill(child(extractor), signal.SIGSTOP)
        with (
            subprocess.Popen([sys.executable, "-c", killer, str(child(extractor))]),
            pytest.raises(ExtractionError, match=r"^extraction ended with exit code -9$"),
        ):
            extractor._wait_for(extractor._child, (b'""', b"x" * (1 << 20)), 20)
        assert extractor._child is None
        assert extractor.extract(html().encode()).title


@POSIX
def test_a_child_that_does_not_even_read_is_given_up() -> None:
    with Extractor(seconds=0.5) as extractor:
        extractor.extract(html().encode())
        os.kill(child(extractor), signal.SIGSTOP)
        # More than a pipe holds: the writing waits.
        assert refused(extractor, b"x" * (8 << 20)) == "extraction took longer than 0.5 s"
        assert extractor.extract(html().encode()).title


@POSIX
def test_an_interrupt_does_not_end_the_child(extractor: Extractor) -> None:
    extractor.extract(html().encode())
    before = child(extractor)
    os.kill(before, signal.SIGINT)
    assert extractor.extract(html().encode()).title
    assert child(extractor) == before


@LINUX
def test_closing_ends_the_child() -> None:
    with Extractor() as extractor:
        extractor.extract(html().encode())
        pid = child(extractor)
        assert is_running(pid)
    assert not is_running(pid)
    extractor.close()


@LINUX
def test_the_child_dies_with_a_killed_parent() -> None:
    code = (
        "import sys, time\nfrom stance.extraction import Extractor\nextractor = Extractor()\n"
        "extractor.extract(sys.stdin.buffer.read())\nprint(extractor._child.pid, flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdin
        assert parent.stdout
        parent.stdin.write(html().encode())
        parent.stdin.close()
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    assert ends(pid)


@LINUX
def test_a_child_that_hangs_ends_by_itself() -> None:
    # The parent that would have killed it is gone; the request is as it sends it.
    code = "import stance.extraction as e, time; e.read_page = lambda *_: time.sleep(60); e._serve(-9.5, 1 << 30)"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as hanging:
        assert hanging.stdin
        hanging.stdin.write(b'\0\0\0\x02""' + b"\0\0\0\x01x")
        hanging.stdin.flush()
        assert hanging.wait(20) == 1


def test_a_module_in_the_working_directory_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("json", "lxml", "trafilatura"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    with Extractor() as extractor:
        assert extractor.extract(html().encode()).title
    assert not (tmp_path / "ran").exists()


def test_nothing_reaches_stdout_or_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with Extractor(seconds=5.0) as extractor:
        extractor.extract(html().encode())
        refused(extractor, b"<html>")
    assert capfd.readouterr() == ("", "")


def test_the_child_loads_no_more_of_stance_than_it_needs() -> None:
    code = "import sys, stance.extraction; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = sorted(name for name in run.stdout.split() if name.partition(".")[0] in ("stance", "numpy", "lxml"))
    assert loaded == ["stance", "stance.extraction", "stance.pages", "stance.records"]


# A library that is not there


@pytest.mark.parametrize("without", ["trafilatura", "lxml"])
def test_a_missing_library_is_one_error(tmp_path: Path, without: str) -> None:
    # Modules that cannot be imported stand before those that can.
    (tmp_path / f"{without}.py").write_text(f"raise ModuleNotFoundError('no\\n{without}')")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom stance.extraction import *\n"
        "from stance.records import InputError\n"
        "try:\n    Extractor().extract(b'<p>x</p>')\nexcept InputError as error:\n    print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    remedy = "reading HTML needs trafilatura; install stance-news[html]"
    assert run.stdout == f"{remedy} (no {without})\n"


def test_the_library_is_looked_for_without_loading_it(monkeypatch: pytest.MonkeyPatch) -> None:
    require_html()
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "modules", {name: each for name, each in sys.modules.items() if name != "trafilatura"})
    with pytest.raises(InputError, match=r"^reading HTML needs trafilatura; install stance-news\[html\]$"):
        require_html()
