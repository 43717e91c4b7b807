"""What of aiohttp's behaviour depends on how it was installed."""

from aiohttp import http_parser

HAS_C_PARSER = http_parser.HttpResponseParser is not http_parser.HttpResponseParserPy
"""Whether responses are read by aiohttp's parser in C; the other takes some garbage for something else."""
