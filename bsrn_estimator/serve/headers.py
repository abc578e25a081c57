"""The headers of every answer: what the page may load, and which other sites may read answers."""

from typing import Dict

_SAFE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
# What a script of another site is told it may send. Browsers ask once in ten minutes.
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT",
    "Access-Control-Allow-Headers": "Content-Type, Content-Encoding",
    "Access-Control-Max-Age": "600",
}


def of_answers(origin: str) -> Dict[str, str]:
    """Headers for every answer.

    Args:
      origin: the site whose scripts may read answers, such as https://example.org; "*" for every
        one, "" for none but the server's own page.
    """
    if not origin:
        return dict(_SAFE, **{"Cross-Origin-Resource-Policy": "same-origin"})
    return dict(
        _SAFE,
        **{
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": "Retry-After, Server-Timing",
            "Vary": "Origin",
        },
    )
