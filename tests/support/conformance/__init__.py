"""Fixtures of the official conformance suite on wiretape's own server."""
