"""What a deployment decides. Reads no environment and holds no state: `parcels.__main__` fills it in."""

from __future__ import annotations

from dataclasses import dataclass, field

from parcels.retry import Backoff


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The secrets, which have no default, and the rest, which is right for production."""

    swiftship_client_id: str
    swiftship_client_secret: str
    postbox_api_key: str
    webhook_secret: str
    swiftship_url: str = "https://api.swiftship.example/v2"
    swiftship_token_url: str = "https://login.swiftship.example/oauth/token"
    postbox_url: str = "https://postbox.example/api"
    backoff: Backoff = field(default_factory=Backoff)
    #: seconds for one attempt at one call
    timeout: float = 5.0
    #: seconds to get a connection, out of those
    connect_timeout: float = 2.0
    #: seconds that a carrier may pause in the middle of a label
    label_silence: float = 10.0
    #: seconds that webhooks still under way get when the app shuts down
    webhook_grace: float = 10.0
