"""The handlers: HTTP in, the desk asked, HTTP out."""

from __future__ import annotations

import json
import logging

from aiohttp import web

from parcels.desk import Desk
from parcels.line import CarrierError
from parcels.model import Parcel
from parcels.validation import Malformed, read_booking

log = logging.getLogger(__name__)

DESK = web.AppKey("DESK", Desk)

routes = web.RouteTableDef()


@routes.post("/parcels")
async def book(request: web.Request) -> web.Response:
    """Books a parcel: 201 and where to find it."""
    try:
        body: object = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    parcel = await request.app[DESK].book(read_booking(body))
    return web.json_response(_shown(parcel), status=201, headers={"Location": f"/parcels/{parcel.id}"})


@routes.get("/parcels/{id}")
async def show(request: web.Request) -> web.Response:
    """The parcel as we last knew it; no carrier is asked."""
    return web.json_response(_shown(request.app[DESK].find(request.match_info["id"])))


@routes.get("/parcels/{id}/tracking")
async def track(request: web.Request) -> web.Response:
    """The parcel as its carrier knows it now, with all that happened to it."""
    parcel = await request.app[DESK].track(request.match_info["id"])
    events = [
        {"at": event.at.isoformat(), "status": event.status.value, "place": event.place}
        for event in parcel.events
    ]
    return web.json_response({**_shown(parcel), "events": events})


@routes.get("/parcels/{id}/label", allow_head=False)
async def label(request: web.Request) -> web.StreamResponse:
    """The carrier's PDF, passed on chunk by chunk: a slow customer slows the carrier, and nothing is kept."""
    parcel_id = request.match_info["id"]
    response = web.StreamResponse(headers={"Content-Disposition": f'attachment; filename="{parcel_id}.pdf"'})
    async with request.app[DESK].label(parcel_id) as carriers:
        response.content_type = carriers.content_type
        response.content_length = carriers.length
        await response.prepare(request)
        try:
            async for chunk in carriers.chunks:
                await response.write(chunk)
        except CarrierError as error:
            # The 200 is already out: only a broken connection can still tell that this is not the whole label
            log.warning("label of parcel %s broke off: %s", parcel_id, error)
            if request.transport is not None:
                request.transport.abort()
            return response
        except ConnectionResetError:
            # The customer has hung up, and leaving the block drops the carrier's connection too. With
            # handler_cancellation, as under aiohttp's own TestServer, this handler is cancelled instead.
            return response
        await response.write_eof()
    return response


def _shown(parcel: Parcel) -> dict[str, object]:
    return {
        "id": parcel.id,
        "reference": parcel.booking.reference,
        "carrier": parcel.quote.carrier,
        "number": parcel.number,
        "price": {"amount": f"{parcel.quote.cents / 100:.2f}", "currency": "EUR"},
        "status": parcel.status.value,
        "label": f"/parcels/{parcel.id}/label",
    }
