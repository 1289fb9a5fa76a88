"""What follows from an answer: delivered, tried again and when, or a dead letter. Pure."""

import random
from datetime import datetime, timedelta

from orchestration.governance.sending import Response, retry_after_seconds
from orchestration.ops.dispatcher import Outcome

SCHEDULE = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
_FEW_TRIES = 3
_JITTER_RATIO = 0.1
_UNEXPECTED = "UnexpectedBody"  # answered 2xx, without the text that the endpoint is to say
_WORTH_RETRYING = frozenset({408, 409, 425, 429})
_OVERLOADED = frozenset({429, 502, 503, 504})


def outcome_of(
    response: Response,
    *,
    step: int,
    now: datetime,
    jitter: random.Random,
    expect_body: str | None = None,
) -> Outcome:
    """What follows from a response: success is 2xx and nothing else; a redirect is a failure.

    With `expect_body` a 2xx answer whose first 8 kB do not have that text is a failure too.
    """
    code = response.status_code
    is_good = code is not None and 200 <= code < 300
    is_expected = expect_body is None or expect_body.encode() in response.body
    result = Outcome(
        status="delivered",
        status_code=code,
        error_class=_UNEXPECTED if is_good and not is_expected else response.error_class,
        resp_sha=response.resp_sha,
        next_at=None,
        dead_reason=None,
        disable_reason=None,
    )
    if is_good and is_expected:
        return result
    if code == 410:
        return result.dead("410: the receiver says it is gone", disable="410 from the receiver")
    tries = step + 1
    is_refusal = code is not None and 400 <= code < 500 and code not in _WORTH_RETRYING
    if is_refusal and tries >= _FEW_TRIES:
        return result.dead(f"refused {tries} times, last with {code}")
    if tries >= len(SCHEDULE):
        return result.dead(f"failed {tries} times, last with {result.error_class or code}")
    step_seconds = SCHEDULE[tries].total_seconds()
    asked = retry_after_seconds(response.retry_after, now=now)
    if asked is not None:
        wait = min(max(asked, step_seconds), 2 * step_seconds)
    else:
        wait = step_seconds * (1 + _JITTER_RATIO * jitter.random())
    return result.again(now + timedelta(seconds=wait))


def asks_for_rest(response: Response) -> bool:
    """True if the receiver has too much to do: it gets nothing more in this run."""
    return response.status_code in _OVERLOADED
