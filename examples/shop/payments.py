"""The payment service of the shop example: authorizes charges over HTTPS and answers with ids of its own.

Run: python payments.py --port 9102 --cert payments.pem --key payments.key
"""

from __future__ import annotations

import argparse
import uuid
from datetime import UTC, datetime

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

LIMIT_CENTS = 20_000


async def charge(request: Request) -> JSONResponse:
    """Authorize an amount; above the limit the card is declined."""
    wanted = await request.json()
    if wanted["amount_cents"] > LIMIT_CENTS:
        return JSONResponse({"status": "declined", "reason": "limit exceeded"}, status_code=402)
    return JSONResponse(
        {
            "charge_id": str(uuid.uuid4()),
            "order_id": wanted["order_id"],
            "status": "authorized",
            "amount_cents": wanted["amount_cents"],
            "authorized_at": datetime.now(UTC).isoformat(),
        },
        status_code=201,
    )


app = Starlette(routes=[Route("/charges", charge, methods=["POST"])])

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9102)
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    options = parser.parse_args()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=options.port,
        ssl_certfile=options.cert,
        ssl_keyfile=options.key,
        log_level="warning",
    )
