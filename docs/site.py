"""What `make docs` adds to mkdocs: settings in the reference, and what has to be in it.

mkdocs takes the functions `on_...` as hooks, mkdocstrings the class as an extension of griffe,
which reads the sources without importing them.
"""

import ast
import logging
import pathlib
import re

import griffe

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Warnings of mkdocs, which --strict makes failures.
_LOG = logging.getLogger("mkdocs.plugins.bsrn")
_OUTWARD = re.compile(r"\[([^\]]*)\]\(\.\./([^)#]+)(?:#[^)]*)?\)")


def homes() -> dict:
    """The public names and their modules, as `bsrn_estimator/__init__.py` has them."""
    tree = ast.parse((ROOT / "bsrn_estimator/__init__.py").read_text(encoding="utf-8"))
    (table,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "_HOMES"
    )
    return ast.literal_eval(table)


def on_pre_build(config) -> None:
    """Warns of public names that docs/api.md does not show."""
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    for name, home in homes().items():
        if "::: %s.%s\n" % (home, name) not in page:
            _LOG.warning("docs/api.md does not show the public name %s", name)


def on_page_markdown(markdown: str, page, **_others) -> str:
    """Links out of docs/ become names of files, which are in the repository and not in the site."""

    def named(match) -> str:
        if not (ROOT / match.group(2)).exists():
            _LOG.warning("%s links to %s, which is not there", page.file.src_uri, match.group(2))
        return "%s (`%s`)" % (match.group(1), match.group(2))

    return _OUTWARD.sub(named, markdown)


class Reference(griffe.Extension):
    """Shows a field made by `setting` with its default and its line of --help."""

    def on_attribute_instance(self, *, attr, **_others) -> None:
        """See griffe."""
        value = attr.value
        if isinstance(value, griffe.ExprCall) and str(value.function) == "setting":
            given = [each for each in value.arguments if not isinstance(each, griffe.ExprKeyword)]
            attr.value = given[0]
            for line in given[1:2]:
                # Where it is put together, its words.
                parts = [
                    node.value
                    for node in ast.walk(ast.parse(str(line)))
                    if isinstance(node, ast.Constant) and isinstance(node.value, str)
                ]
                attr.docstring = griffe.Docstring("".join(parts), parent=attr)

    def on_package(self, *, pkg, **_others) -> None:
        """Warns of public names without a docstring."""
        for name, home in homes().items():
            if home.split(".")[0] == pkg.name and not pkg[home.partition(".")[2]][name].docstring:
                _LOG.warning("the public name %s has no docstring", name)
