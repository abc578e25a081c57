"""The exception that a request is answered with: a status and one sentence."""

from typing import Optional


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
