"""The words of hostile input: what may stand in each place of a request, a chunk, a frame.

Nothing but tables, for `hostile.py`.
"""

# fmt: off
PATHS = (
    "/reply", "/reply/7?q=1", "/big", "/empty", "/last", "/trailers", "/held", "/handler", "/response",
    "/stream", "/sse", "/slow", "/raw", "/early", "/early/handler", "/early/held", "/form", "/json",
    "/parts", "/serve", "/serve/stream", "/app/echo", "/app/stream", "/app/skip", "/app/raise",
    "/app/missing", "/asgi/echo", "/asgi/skip", "/asgi/raise", "/fault/disconnect", "/fault/reset",
    "/fault/truncate", "/fault/garbage", "/fault/chunk", "/fault/header", "/fault/stall", "/fault/stream",
    "/error", "/missing",
)
WEBSOCKET_PATHS = (
    "/ws", "/ws/script", "/ws/reject", "/serve/ws", "/app/ws", "/asgi/ws",
)
GOOD = b"GET /reply HTTP/1.1\r\nHost: api.test\r\n\r\n"
METHODS = (
    b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"PATCH",
)
ODD_METHODS = (
    b"CONNECT", b"TRACE", b"PROPFIND", b"M-SEARCH", b"PURGE", b"get", b"Get", b"BREW", b"PRI", b"SOURCE",
    b"", b"G ET", b"G\0T", b"G\xc3\x89T", b"X" * 3000, b"HTTP/1.1", b"QUERY", b"A(B)",
)
VERSIONS = (b"HTTP/1.1",) * 12 + (b"HTTP/1.0",) * 3
ODD_VERSIONS = (
    b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.2", b"HTTP/9.9", b"HTTP/1.10", b"HTTP/01.1", b"http/1.1", b"HTTP/1",
    b"HTTP/ 1.1", b"HTTPS/1.1", b"RTSP/1.0", b"ICE/1.0", b"", b"HTTP/1.1 ", b"\tHTTP/1.1", b"HTTP/-1.1",
)
ODD_TARGETS = (
    b"*", b"/", b"//", b"//api.test/reply", b"http://api.test/reply", b"http://other.test:81/reply?q=1",
    b"https://api.test", b"HTTP://API.TEST/reply", b"http:///reply", b"http://", b"http:reply",
    b"api.test:80", b"api.test", b":80", b"[::1]:443", b"[::1", b"http://[::1/reply",
    b"http://a.test:99999/", b"http://a:b@c/", b"http://\xff/", b"/\xff\xfe", b"/\xc3\xa9", b"/%C3%A9",
    b"/%zz", b"/%", b"/%00", b"/%2e%2e/reply", b"/../reply", b"/./reply", b"/a\\b", b"/reply#fragment",
    b"/reply?a=%26&a=b&&=&a", b"/reply?\xff=\xfe", b"/re ply", b"/\0", b"/\t", b"?", b"?q=1", b"#",
    b"/" + b"a" * 9000, b"/" + b"%41" * 30_000, b"\x7f", b"ftp://api.test/", b"javascript:alert(1)",
    b"http://xn--/", b"http://a..b/", b"http://" + b"a" * 300 + b"/", b"http://api.test:/reply",
    b"http://api.test:0/", b"http://api.test:-1/", b"/;a=b/c;d", b"/{id}", b"",
)
HOSTS = (
    b"other.test", b"api.test:80", b"api.test:99999", b"[::1]", b"[", b"a b", b"\xff", b"", b"api.test:x",
    b"a,b", b"user@api.test", b"http://api.test", b"a" * 300, b"127.0.0.1", b"api.test.", b"API.TEST",
    b"\x7f", b"*",
)
ODD_FIELDS = (
    b"X-Empty:", b"X-Blank: \t ", b": no name", b"no colon", b"X-Space : 1", b" X-Fold: 1", b"X-Nul: a\0b",
    b"X-Control: \x01\x1b[2J\x7f", b"X-High: \xff\xfe\xc3\xa9", b"X-CR: a\rb", b"X-\xc3\xa9: 1",
    b"X-(): 1", b"X-Folded: a\r\n b\r\n\tc", b"X-Bare: a\nX-Next: b", b"X-Huge: " + b"h" * 20_000,
    b"N" * 9000 + b": 1", b"X-Vast: " + b"v" * 70_000, b"\r", b"\0", b"Cookie: =;;a;c=1;\xff=\xfe; c=2",
    b"Cookie: " + b"a=b; " * 900, b"Content-Type: application/json", b"Content-Type: a/b; charset=nope",
    b"Content-Type: \xff", b"Range: bytes=9-1", b"Content-Type: application/x-www-form-urlencoded",
    b"Content-Type: multipart/form-data; boundary=b", b"Content-Type: multipart/form-data; boundary=",
    b"Content-Type: multipart/form-data", b"TE: trailers", b"Connection: close", b"Connection: keep-alive",
    b"Connection: , ,close ,", b"Connection: Upgrade, close", b"Connection: transfer-encoding",
    b"Connection: \xff", b"Proxy-Connection: close", b"Keep-Alive: timeout=-1", b"Expect: 100-continue",
    b"Expect: 100-Continue ", b"Expect: 200-ok", b"Expect:", b"Expect: 100-continue, x",
    b"Upgrade: websocket", b"Upgrade: h2c", b"Upgrade: \xff", b"Upgrade:",
    b"Accept-Encoding: gzip, deflate, br", b"Content-Encoding: gzip", b"Content-Encoding: nope",
    b"Content-Encoding: deflate, gzip", b"Trailer: X-Sum", b"If-None-Match: \"",
    b"Authorization: Basic \xff", b"Transfer-Encoding:", b"Content-Length:", b"Date: never",
    b"X-Forwarded-For: \x00", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", b"Referer: \xf0\x9f\x98\x80",
)
LENGTHS = (
    b"-1", b"+5", b"0x5", b"5,5", b"5, 5", b"5 5", b"5;", b"05", b"5.0", b"five", b"", b" ", b"\t5",
    b"5\t", b"99999999999999999999", b"18446744073709551616", b"18446744073709551621", b"268435457",
    b"1_0", b"\xd9\xa5", b"\xb2", b"1e1", b"00000000000000000000005", b"-0", b"5\0", b"9" * 5000,
)
CODINGS = (
    b"chunked", b"Chunked", b"CHUNKED", b"chunked ", b"\tchunked", b"chunked\x0b", b"\"chunked\"",
    b"chunked;x", b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"gzip", b"identity",
    b"xchunked", b"chunkedx", b"", b",", b"chunked,", b",chunked", b"identity, chunked", b"chunked\r\n x",
    b"\0chunked", b"c\xc4\xa7unked",
)
BODIES = (
    b"", b"a", b"hello", b"a=1&b=2", b"[1, 2]", b'{"a": [', b"\xff\xfe", b"\0" * 50, b"x" * 3000,
    b"y" * 70_000, b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n", b"--b\r\n",
    b"--b\r\n\r\n\r\n--b--", b"GET /reply HTTP/1.1\r\nHost: api.test\r\n\r\n", b"0\r\n\r\n", b"[" * 5000,
    b"\x1f\x8b\x08", b"\r\n\r\n",
)
EXTENSIONS = (
    b"", b"", b"", b";x", b";x=y", b';x="\r\n"', b";" + b"e" * 5000, b" ", b";\xff", b";x=\0", b"\t;a",
    b";;",
)
SIZES = (
    b"", b"-1", b"0x5", b"g", b"+5", b" 5", b"5 5", b"f" * 15, b"f" * 16, b"f" * 17, b"00000000000000005",
    b"5\n",
)
TRAILERS = (
    b"X-Sum: 1\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"no colon\r\n",
    b": \r\n", b"Host: other.test\r\n", b"X: \0\r\n", b"X: 1\n", b" folded\r\n", b"X-T: 1\r\n" * 300,
    b"X: " + b"t" * 70_000,
)
CLOSE_CODES = (
    0, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1011, 1015, 2999, 3000, 4000, 4999, 5000,
    65535,
)
HELLO = bytes.fromhex("16030100a5010000a10303") + bytes(150)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
WEBSOCKET_EXTENSIONS = (
    b"permessage-deflate", b"permessage-deflate; client_max_window_bits", b"permessage-deflate; x=y",
    b"permessage-deflate; server_max_window_bits=99", b"nope", b"", b"\xff",
    b"permessage-deflate; client_no_context_takeover",
    b"permessage-deflate; client_max_window_bits=9, permessage-deflate",
)
ODD_HANDSHAKE_FIELDS = (
    b"Sec-WebSocket-Key: x", b"Sec-WebSocket-Version: 12", b"Upgrade: h2c", b"Connection: close",
    b"Connection: keep-alive, Upgrade", b"Sec-WebSocket-Key: \xff", b"Content-Length: 5", b"X: 1",
)
RUBBISH = (
    HELLO, PREFACE, b"GET /reply\r\n", b"GET /reply\n\n", b"\0" * 100, b"G" * 70_000, b"SSH-2.0-x\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"\r\n\r\n" + GOOD, b"\n" + GOOD, b" " + GOOD,
    b"\xef\xbb\xbf" + GOOD, GOOD + b"\x80\0" + GOOD, b"\x05\x01\x00", b"EHLO x\r\n",
    b"*1\r\n$4\r\nPING\r\n", b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n" + GOOD,
)
TUNNEL_TARGETS = (
    b"api.test:443", b"api.test:80", b"[::1]:443", b"/connect", b"api.test", b"\xff:1", b"", b"a:b",
)
TUNNEL_FIELDS = (
    b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Expect: 100-continue", b"X",
)
TOKENS = (
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"\x80", b"\xff", b"\r\n\r\n", b"0\r\n\r\n", b"-",
    b"%", b";", b",", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"HTTP/1.1",
    b"Connection: close\r\n", GOOD, b"Upgrade: websocket\r\nConnection: upgrade\r\n",
    b"Expect: 100-continue\r\n", b"5\r\nhello\r\n",
)
