"""What a request must be for a route to answer it, and how one differs that is not.

A match is "no differences". `values` compares any value with what is expected of it (literals, regular
expressions, predicates, `Exact`, `Subset`); `urls` compares method and URL, `fields` headers, queries,
cookies and forms; `request_pattern` puts them together. Knows nothing of routes.
"""
