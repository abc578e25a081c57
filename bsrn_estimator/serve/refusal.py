"""The exception that a request is answered with: a status and one sentence."""

import json
from typing import Optional

from aiohttp import web


class Refusal(Exception):
    """Ends the handling of a request.

    Attributes:
      status: the HTTP status, 400 or above.
      sentence: what is wrong and what to do, for a person.
      retry_after: seconds after which the same request may do; None where it never will.
    """

    def __init__(self, status: int, sentence: str, retry_after: Optional[int] = None):
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.retry_after = retry_after

    def text(self) -> str:
        """The body of the answer: JSON, as TensorFlow Serving refuses."""
        return json.dumps({"error": self.sentence}) + "\n"

    def response(self) -> web.Response:
        """The answer."""
        response = web.Response(
            text=self.text(), status=self.status, content_type="application/json"
        )
        if self.retry_after is not None:
            response.headers["Retry-After"] = str(self.retry_after)
        return response
