"""CORS: the configuration, what browsers ask first, and the headers on answers."""
import pytest

from conftest import refused

RULES = [
    {"AllowedOrigins": ["https://one.example", "https://*.two.example"], "AllowedMethods": ["GET", "PUT"],
     "AllowedHeaders": ["x-amz-*", "content-type"], "ExposeHeaders": ["ETag", "x-amz-request-id"], "MaxAgeSeconds": 300},
    {"AllowedOrigins": ["*"], "AllowedMethods": ["HEAD"]},
]


@pytest.fixture
def cors_bucket(s3, bucket):
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    return bucket


def test_the_configuration_is_read_back(s3, bucket):
    with refused("NoSuchCORSConfiguration", 404):
        s3.get_bucket_cors(Bucket=bucket)
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == RULES
    s3.delete_bucket_cors(Bucket=bucket)
    with refused("NoSuchCORSConfiguration", 404):
        s3.get_bucket_cors(Bucket=bucket)


@pytest.mark.parametrize("change, code", [
    ({"AllowedMethods": ["PATCH"]}, "InvalidRequest"), ({"AllowedOrigins": ["https://*.*.example"]}, "InvalidRequest"),
    ({"AllowedHeaders": ["*-*"]}, "InvalidRequest"), ({"ExposeHeaders": ["x-*"]}, "InvalidRequest"),
    ({"AllowedMethods": []}, "MalformedXML"), ({"AllowedOrigins": []}, "MalformedXML"),
    ({"MaxAgeSeconds": -1}, "MalformedXML")], ids=str)
def test_configurations_that_are_wrong(s3, bucket, change, code):
    with refused(code, 400):
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [RULES[0] | change]})


def test_too_many_rules(s3, bucket):
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [RULES[1]] * 100})
    with refused("MalformedXML", 400):
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [RULES[1]] * 101})


def ask(server, bucket, origin, method, headers=None):
    fields = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        fields["Access-Control-Request-Headers"] = headers
    return server.send("OPTIONS", f"/{bucket}/k", fields)


@pytest.mark.parametrize("origin, method, headers, shown", [
    ("https://one.example", "GET", None, "https://one.example"),
    ("https://one.example", "PUT", "content-type, X-Amz-Date", "https://one.example"),
    ("https://a.two.example", "PUT", None, "https://a.two.example"),
    ("https://anything", "HEAD", None, "*"),
    ("https://one.example", "DELETE", None, None), ("https://two.example", "GET", None, None),
    ("https://one.example", "GET", "x-other", None), ("https://anything", "HEAD", "x-amz-date", None)])
def test_preflight(server, cors_bucket, origin, method, headers, shown):
    answer = ask(server, cors_bucket, origin, method, headers)
    if shown is None:
        assert (answer.status, answer.code) == (403, "AccessForbidden")
        assert "Access-Control-Allow-Origin" not in answer.headers
        return
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == shown
    assert method in answer.headers["Access-Control-Allow-Methods"]
    if headers:
        assert answer.headers["Access-Control-Allow-Headers"] == headers.lower()
    if shown != "*":
        assert answer.headers["Access-Control-Max-Age"] == "300"
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in answer.headers["Vary"]


def test_preflight_without_configuration_or_bucket(server, bucket):
    assert ask(server, bucket, "https://one.example", "GET").code == "AccessForbidden"
    assert ask(server, "no-such-bucket-anywhere", "https://one.example", "GET").code == "AccessForbidden"
    assert server.send("OPTIONS", f"/{bucket}/k").status == 400


def test_headers_on_answers(server, cors_bucket):
    answer = server.send("GET", f"/{cors_bucket}/k", {"Origin": "https://one.example"})
    assert answer.status == 200 and answer.body == b"x"
    assert answer.headers["Access-Control-Allow-Origin"] == "https://one.example"
    assert answer.headers["Access-Control-Expose-Headers"] == "ETag, x-amz-request-id"
    missing = server.send("GET", f"/{cors_bucket}/missing", {"Origin": "https://one.example"})
    assert missing.status == 403 and missing.headers["Access-Control-Allow-Origin"] == "https://one.example"
    for headers in ({"Origin": "https://foreign.example"}, {}):
        answer = server.send("GET", f"/{cors_bucket}/k", headers)
        assert answer.status == 200 and "Access-Control-Allow-Origin" not in answer.headers
