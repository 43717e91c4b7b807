"""Parcels: book a parcel with the cheaper of two carriers, track it, print its label.

    POST /parcels                  book; 201 with the parcel
    GET  /parcels/{id}             the parcel as we last knew it
    GET  /parcels/{id}/tracking    the parcel as its carrier knows it now
    GET  /parcels/{id}/label       the carrier's PDF, streamed through

Every error is problem JSON (RFC 9457). A customer who gave a `callback_url` gets a signed webhook when
the status changes.

The modules, each knowing only those above it::

    model  settings  shapes        what a parcel is; what a deployment decides; reading other people's JSON
    retry                          when to ask again, and after how long
    line  tokens                   one carrier's HTTP, errors mapped; OAuth client credentials
    carriers  webhooks             the two carriers' dialects; telling the customer
    desk                           cheapest first, and the parcels we know
    problems  validation  api      HTTP as the customer sees it
    app                            one `web.Application` of all that
"""

from parcels.app import make_app
from parcels.settings import Settings

__all__ = ["Settings", "make_app"]
