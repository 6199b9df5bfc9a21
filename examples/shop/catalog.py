"""The catalog service of the shop example: products and stock over plain HTTP.

Run: python catalog.py --port 9101
"""

from __future__ import annotations

import argparse

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

PRODUCTS = {
    "kettle": {"sku": "kettle", "name": "Kettle", "price_cents": 3490, "tags": ["kitchen", "steel"], "weight_g": 1150},
    "teapot": {"sku": "teapot", "name": "Teapot", "price_cents": 2250, "tags": ["kitchen", "glass"], "weight_g": 780},
    "mug": {"sku": "mug", "name": "Mug", "price_cents": 890, "tags": ["kitchen"], "weight_g": 340},
    "lamp": {"sku": "lamp", "name": "Desk lamp", "price_cents": 5999, "tags": ["office", "led"], "weight_g": 1900},
}
STOCK = {"kettle": 14, "teapot": 3, "mug": 250, "lamp": 0}


async def products(request: Request) -> JSONResponse:
    """All products, or those with one tag."""
    tag = request.query_params.get("tag")
    return JSONResponse([p for p in PRODUCTS.values() if tag is None or tag in p["tags"]])


async def product(request: Request) -> JSONResponse:
    """One product by its SKU."""
    found = PRODUCTS.get(request.path_params["sku"])
    return JSONResponse(found) if found else JSONResponse({"error": "no such product"}, status_code=404)


async def stock(request: Request) -> JSONResponse:
    """How many pieces of a product are on the shelf."""
    sku = request.path_params["sku"]
    return JSONResponse({"sku": sku, "available": STOCK.get(sku, 0)})


app = Starlette(
    routes=[
        Route("/products", products),
        Route("/products/{sku}", product),
        Route("/stock/{sku}", stock),
    ]
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9101)
    uvicorn.run(app, host="127.0.0.1", port=parser.parse_args().port, log_level="warning")
