"""The page at `/`: its files, sent as they are."""

import os

from aiohttp import web

_FOLDER = os.path.dirname(__file__)
_FILES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/requests.js": ("requests.js", "text/javascript"),
    "/viewer.js": ("viewer.js", "text/javascript"),
    "/favicon.svg": ("favicon.svg", "image/svg+xml"),
}


def add_routes(router) -> None:
    """Reads the files of the page and adds a route for each."""
    for path, (name, media_type) in _FILES.items():
        with open(os.path.join(_FOLDER, name), encoding="utf-8") as file:
            router.add_get(path, _handler(file.read(), media_type))


def _handler(text: str, media_type: str):
    async def send(_):
        return web.Response(
            text=text,
            content_type=media_type,
            charset="utf-8",
            headers={"Cache-Control": "no-cache"},
        )

    return send
