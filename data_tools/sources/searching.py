"""What looks for the pictures of an input folder."""

from data_tools.places import is_remote
from data_tools.sources.search import Search


def search_of(folder: str) -> Search:
    """What looks for pictures in `folder` and below."""
    if is_remote(folder):
        # Beam takes two seconds to import.
        from data_tools.sources.remote import RemoteSearch

        return RemoteSearch()
    return Search()
