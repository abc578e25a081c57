"""What `--help` prints: the modes, then the flags by room, each with its default."""

import textwrap
from typing import List, Optional

from bsrn_estimator import flags
from bsrn_estimator.settings import Flag

_WIDTH = 96
_INDENT = 6


def page(mode: Optional[str] = None) -> str:
    """The whole text; of one mode where it is named."""
    lines = ["Usage: python -m bsrn_estimator.main --mode=MODE [--FLAG=VALUE ...]", ""]
    if mode:
        lines += ["--mode=%s %s." % (mode, flags.MODE_HELP[mode]), ""]
    else:
        lines += ["Modes:"]
        lines += ["  %-20s %s" % (name, text) for name, text in flags.MODE_HELP.items()]
        lines += [
            "",
            "--help --mode=MODE shows the flags of that mode alone, --version the version.",
        ]
        lines += ["--flagfile=FILE reads flags from a file, one a line; configs/ holds some.", ""]
    for title, found in flags.shown(mode):
        if found:
            lines += [title + ":"]
            for flag in found:
                lines += _entry(flag, mode)
            lines += [""]
    return "\n".join(lines).rstrip()


def _entry(flag: Flag, mode: Optional[str]) -> List[str]:
    """A flag: its name and what it takes, then its help, default and modes."""
    text = flag.help
    head = "  --%s=%s" % (flag.name, flag.takes) if flag.takes else "  --[no]%s" % flag.name
    if len(head) > _WIDTH:  # many choices
        head = "  --%s=NAME" % flag.name
        text += ": " + flag.takes.replace("|", ", ")
    if flag.default:
        text += " (default: %s)" % flag.default
    return [head] + textwrap.wrap(
        text, _WIDTH, initial_indent=" " * _INDENT, subsequent_indent=" " * _INDENT
    )
