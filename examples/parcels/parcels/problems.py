"""Every error as problem JSON (RFC 9457). The one place that decides which status an error gets."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from parcels.desk import UnknownParcel
from parcels.line import CarrierError, CarrierRefused, CarrierTimeout
from parcels.validation import Invalid, Malformed

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def problem(status: int, title: str, detail: str, **more: object) -> web.Response:
    """An answer of that status; `more` are further members of the problem."""
    text = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail, **more})
    return web.Response(status=status, text=text, content_type="application/problem+json")


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns what the handlers raise into a problem; what nobody foresaw is aiohttp's 500, and logged."""
    try:
        return await handler(request)
    except Malformed as error:
        return problem(400, "Malformed request", str(error))
    except Invalid as error:
        return problem(422, "Invalid booking", str(error), errors=_errors(error.errors))
    except UnknownParcel as error:
        return problem(404, "Unknown parcel", str(error))
    except CarrierRefused as error:
        return problem(422, "Carrier refused", str(error), carrier=error.carrier)
    except CarrierTimeout as error:
        log.warning("%s", error)
        return problem(504, "Carrier timed out", str(error), carrier=error.carrier)
    except CarrierError as error:
        log.warning("%s", error)
        return problem(502, "Carrier unavailable", str(error), carrier=error.carrier)
    except web.HTTPError as error:  # the router's 404 and 405, a body too large
        answer = problem(error.status, error.reason, error.text or error.reason)
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer


def _errors(errors: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"field": field, "message": message} for field, message in errors]
