"""What a command that was refused says on its standard error."""


def sentence(errors: str) -> str:
    """The one line that a refusal is, without the warning of flags that the mode does not read."""
    lines = [
        line
        for line in errors.splitlines()
        if not (line.startswith("warning: --mode=") and " does not read " in line)
    ]
    assert len(lines) == 1 and lines[0].startswith("error: "), errors
    return lines[0]
