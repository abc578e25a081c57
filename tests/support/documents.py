"""What the documents tell a reader to type: their blocks, commands, flags and links.

A document's fenced blocks name their language: `sh` for commands, `python`, `json`, or `text` for
what is shown.
"""

import pathlib
import re
import shlex
from typing import List, NamedTuple, Set

LANGUAGES = ("sh", "python", "json", "text")

_OURS = re.compile(r"(python3?|make|(bash )?scripts/\S+|bsrn-\S+)( |$)")
_SPAN = re.compile(r"`([^`\n]+)`")
FLAG = re.compile(r"--([A-Za-z][\w-]*)")
_ASSIGNMENT = re.compile(r"[A-Z_]+=")


class Block(NamedTuple):
    """A fenced block: the document, the line that its text begins in, its language, the text."""

    document: pathlib.Path
    line: int
    language: str
    text: str


class Command(NamedTuple):
    """A command of a document.

    Attributes:
      where: document and line.
      words: as the shell splits them, without assignments and redirections.
      whole: it stands in a block, and has to be complete; else it is named in a sentence.
    """

    where: str
    words: List[str]
    whole: bool


def blocks(document: pathlib.Path) -> List[Block]:
    """The fenced blocks of a Markdown file.

    Raises:
      ValueError: one is not closed.
    """
    found, language, begin, lines = [], None, 0, []
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        if language is None and line.startswith("```"):
            language, begin, lines = line[3:].strip(), number + 1, []
        elif line.strip() == "```":
            found.append(Block(document, begin, language or "", "\n".join(lines) + "\n"))
            language = None
        elif language is not None:
            lines.append(line)
    if language is not None:
        raise ValueError("%s:%d: the block is not closed" % (document, begin - 1))
    return found


def prose(document: pathlib.Path) -> str:
    """The text of a document with its fenced blocks left out; lines keep their numbers."""
    text, inside = [], False
    for line in document.read_text(encoding="utf-8").splitlines():
        fence = line.startswith("```")
        text.append("" if inside or fence else line)
        inside = inside != fence
    return "\n".join(text)


def tables(document: pathlib.Path) -> List[str]:
    """The rows of its tables, one after the other, heads included."""
    rows = re.findall(r"^\|.*$", prose(document), re.MULTILINE)
    return [row for row in rows if set(row) - set("|-: ")]


def commands(document: pathlib.Path) -> List[Command]:
    """The commands of the `sh` blocks, and those of this project that sentences name."""
    found = []
    for block in blocks(document):
        if block.language == "sh":
            # A line that ends in a backslash goes on.
            text, line = re.sub(r"\\\n\s*", " ", block.text), block.line
            for row in text.splitlines():
                where = "%s:%d" % (document.name, line)
                found += [Command(where, words, True) for words in split(row)]
                line += 1
    for number, row in enumerate(prose(document).splitlines(), 1):
        for span in _SPAN.findall(row):
            if _OURS.match(span):
                where = "%s:%d" % (document.name, number)
                found += [Command(where, w, False) for w in split(span.replace("\\|", "|"))]
    return found


def split(line: str) -> List[List[str]]:
    """The commands of a line of shell, each as its words; comments and redirections left out."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.wordchars += "@:,$%+[]{}!^"
    found: List[List[str]] = [[]]
    skip = False
    for word in lexer:
        if skip:
            skip = False
        elif set(word) <= set("<>"):
            skip = True
        elif set(word) <= set("();|&"):
            found.append([])
        elif found[-1] or not _ASSIGNMENT.match(word):
            found[-1].append(word)
    return [words for words in found if words]


def flags_named(document: pathlib.Path) -> Set[str]:
    """The flags that the sentences and tables of a document name, without their dashes."""
    spans = _SPAN.findall(prose(document))
    return {name for span in spans for name in FLAG.findall(span)}


def links(document: pathlib.Path) -> List[str]:
    """The targets of its links that are not addresses of the web."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(document))
    return [target for target in found if not re.match(r"\w+:", target)]


def anchors(document: pathlib.Path) -> Set[str]:
    """The anchors of its headings, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+ +(.*)$", prose(document), re.MULTILINE):
        kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        found.add(kept.replace(" ", "-"))
    return found


def documents(root: pathlib.Path) -> List[pathlib.Path]:
    """The documents of the project, but for the history of what it once was."""
    names = (
        "README.md",
        "README.zh.md",
        "CONTRIBUTING.md",
        "tfrecords/README.md",
        "modelzoo/README.md",
    )
    return [root / name for name in names] + sorted((root / "docs").glob("*.md"))
