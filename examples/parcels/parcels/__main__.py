"""`python -m parcels`: the service on port 8080, its secrets from the environment."""

from __future__ import annotations

import os

from aiohttp import web

from parcels.app import make_app
from parcels.settings import Settings

if __name__ == "__main__":
    web.run_app(
        make_app(
            Settings(
                swiftship_client_id=os.environ["SWIFTSHIP_CLIENT_ID"],
                swiftship_client_secret=os.environ["SWIFTSHIP_CLIENT_SECRET"],
                postbox_api_key=os.environ["POSTBOX_API_KEY"],
                webhook_secret=os.environ["WEBHOOK_SECRET"],
            )
        ),
        port=8080,
    )
