#!/usr/bin/env python3
"""Writes botocore.json: requests signed by botocore, which the tests verify and sign again.

Needs botocore. Times are fixed, so the file changes only with this script or with botocore.
"""
import datetime
import json
import os
from unittest import mock
from urllib.parse import quote, urlsplit

import botocore.auth
import botocore.compat
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCESS_KEY = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = datetime.datetime(2025, 3, 14, 15, 9, 26)
HOST = "s3.example.com"

KEYS = [
    "plain.txt", "with space", "plus+plus", "per%cent", "per%20cent", "a//b", "/leading", "dir/../up", "./dot", "tilde~tilde",
    "täst-ñ", "日本語/ファイル", "emoji-🐦", "nfd-e\u0301", "amp&eq=q?", "quote'\"", "colon:semi;", "brackets[]{}()", "star*",
    "back\\slash", "trailing/", "@!$,", "caret^|`",
]
QUERIES = [
    [], [("acl", None)], [("prefix", "a b"), ("delimiter", "/"), ("list-type", "2")],
    [("b", "2"), ("a", "1"), ("a", "0"), ("B", "3")], [("prefix", "a+b&c=d%25")], [("uploads", "")],
    [("uploadId", "x-Y_z.1"), ("partNumber", "7")], [("response-content-type", "text/plain; charset=utf-8")],
    [("marker", "日本")], [("versionId", "null"), ("x-id", "GetObject")],
]
HEADERS = [
    {}, {"x-amz-meta-color": "blue"}, {"x-amz-meta-a": "  two   spaces  ", "x-amz-acl": "private"},
    {"Content-Type": "text/plain", "Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, {"x-amz-meta-empty": ""},
    {"X-Amz-Meta-UPPER": "Case"},
]


def query_text(query):
    return "&".join(
        quote(name, safe="-_.~") + ("" if value is None else "=" + quote(value, safe="-_.~")) for name, value in query)


def case(method, path, query, headers, sign):
    url = f"http://{HOST}{quote(path, safe='/~')}"
    if query:
        url += "?" + query_text(query)
    request = AWSRequest(method=method, url=url, data=b"", headers=dict(headers))
    with mock.patch("botocore.auth.datetime") as fake, \
            mock.patch("botocore.auth.get_current_datetime", lambda *a, **k: NOW, create=True), \
            mock.patch("botocore.auth.formatdate", lambda **k: "Fri, 14 Mar 2025 15:09:26 GMT"), \
            mock.patch("botocore.auth.time.time", lambda: 1741964966):
        fake.datetime.utcnow.return_value = NOW
        fake.datetime.now.return_value = NOW
        sign(request)
    prepared = request.prepare()
    parts = urlsplit(prepared.url)
    sent = {name: (value.decode() if isinstance(value, bytes) else value) for name, value in prepared.headers.items()}
    sent.pop("Content-Length", None)
    sent.setdefault("Host", HOST)
    return {"method": method, "path": parts.path, "query": parts.query, "headers": sorted(sent.items())}


def main():
    credentials = Credentials(ACCESS_KEY, SECRET)

    def v4(request):
        botocore.auth.S3SigV4Auth(credentials, "s3", "eu-central-1").add_auth(request)

    def v4_presigned(request):
        botocore.auth.S3SigV4QueryAuth(credentials, "s3", "eu-central-1", expires=3600).add_auth(request)

    def v2(request):
        path = urlsplit(request.url).path
        botocore.auth.HmacV1Auth(credentials).add_auth(request) if path else None

    def v2_presigned(request):
        botocore.auth.HmacV1QueryAuth(credentials, expires=3600).add_auth(request)

    output = []
    for scheme, sign in [("v4", v4), ("v4-presigned", v4_presigned), ("v2", v2), ("v2-presigned", v2_presigned)]:
        combinations = [("GET", f"/bucket/{key}", [], {}) for key in KEYS]
        combinations += [("GET", "/bucket/key", query, {}) for query in QUERIES]
        combinations += [("PUT", "/bucket/key", [], headers) for headers in HEADERS]
        combinations += [("GET", "/", [], {}), ("DELETE", "/bucket", [], {}), ("HEAD", "/bucket/a b", [("versionId", "3")], {})]
        for method, path, query, headers in combinations:
            vector = case(method, path, query, headers, sign)
            vector["scheme"] = scheme
            output.append(vector)
    document = {
        "accessKeyID": ACCESS_KEY, "secret": SECRET, "time": 1741964966, "region": "eu-central-1", "vectors": output,
    }
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "botocore.json"), "w") as file:
        json.dump(document, file, indent=1, ensure_ascii=True)
        file.write("\n")


main()
