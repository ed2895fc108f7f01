"""Buckets as static websites, under host names of their own."""
import pytest

from conftest import refused

SUFFIX = "s3-website.localhost"


@pytest.fixture
def site(s3, bucket, server):
    """Puts pages and gets them as a browser does."""
    for key, text in {"index.html": "home", "docs/index.html": "docs", "docs/page.html": "page", "error.html": "sorry"}.items():
        s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType="text/html", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="secret.html", Body=b"secret")
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={
        "IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"}})
    return lambda path, method="GET", **headers: server.send(method, path, {"Host": f"{bucket}.{SUFFIX}"} | headers)


def configure(s3, bucket, *rules, **more):
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={
        "IndexDocument": {"Suffix": "index.html"}} | ({"RoutingRules": list(rules)} if rules else {}) | more)


def test_the_configuration_is_read_back(s3, bucket):
    with refused("NoSuchWebsiteConfiguration", 404):
        s3.get_bucket_website(Bucket=bucket)
    made = {"IndexDocument": {"Suffix": "i.html"}, "ErrorDocument": {"Key": "e.html"}, "RoutingRules": [
        {"Condition": {"KeyPrefixEquals": "a/"}, "Redirect": {"ReplaceKeyPrefixWith": "b/", "HttpRedirectCode": "302"}}]}
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=made)
    answer = s3.get_bucket_website(Bucket=bucket)
    assert {name: answer[name] for name in made} == made
    s3.delete_bucket_website(Bucket=bucket)
    with refused("NoSuchWebsiteConfiguration", 404):
        s3.get_bucket_website(Bucket=bucket)


@pytest.mark.parametrize("made, code", [
    ({"ErrorDocument": {"Key": "e"}}, "InvalidArgument"), ({"IndexDocument": {"Suffix": "a/b"}}, "InvalidArgument"),
    ({"IndexDocument": {"Suffix": ""}}, "InvalidArgument"),
    ({"RedirectAllRequestsTo": {"HostName": "x", "Protocol": "ftp"}}, "InvalidRequest"),
    ({"IndexDocument": {"Suffix": "i"}, "RoutingRules": [{"Redirect": {"ReplaceKeyWith": "a", "ReplaceKeyPrefixWith": "b"}}]}, "InvalidRequest"),
    ({"IndexDocument": {"Suffix": "i"}, "RoutingRules": [{"Redirect": {"HttpRedirectCode": "200", "HostName": "x"}}]}, "InvalidRequest"),
    ({"IndexDocument": {"Suffix": "i"}, "RoutingRules": [
        {"Condition": {"HttpErrorCodeReturnedEquals": "200"}, "Redirect": {"HostName": "x"}}]}, "InvalidRequest"),
    ({"IndexDocument": {"Suffix": "i"}, "RoutingRules": [{"Redirect": {"HostName": "x"}}] * 51}, "InvalidRequest")],
    ids=lambda value: str(value)[:50])
def test_configurations_that_are_wrong(s3, bucket, made, code):
    with refused(code, 400):
        s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=made)


@pytest.mark.parametrize("path, status, body", [
    ("/", 200, b"home"), ("/index.html", 200, b"home"), ("/docs/", 200, b"docs"), ("/docs/page.html", 200, b"page"),
    ("/missing", 403, b"sorry"), ("/secret.html", 403, b"sorry"), ("/missing/", 403, b"sorry")])
def test_pages(site, path, status, body):
    answer = site(path)
    assert (answer.status, answer.body) == (status, body)
    assert answer.headers["Content-Type"] == "text/html"


def test_who_may_list_gets_404(s3, bucket, site):
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    assert (site("/missing").status, site("/missing").body) == (404, b"sorry")
    assert site("/secret.html").status == 403


def test_a_folder_without_its_slash(site):
    answer = site("/docs")
    assert (answer.status, answer.headers["Location"]) == (302, "/docs/")


def test_head_ranges_and_conditions(site):
    head = site("/", "HEAD")
    assert head.status == 200 and head.headers["Content-Length"] == "4"
    part = site("/", Range="bytes=1-2")
    assert (part.status, part.body) == (206, b"om")
    assert site("/", **{"If-None-Match": head.headers["ETag"]}).status == 304


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_nothing_is_written_to_websites(s3, bucket, site, method):
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    answer = site("/new", method, **{"Content-Length": "0"})
    assert answer.status == 405 and b"<html>" in answer.body


def test_errors_are_pages(s3, bucket, site, server):
    configure(s3, bucket)
    answer = site("/missing<b>")
    assert answer.status == 403 and b"Code: AccessDenied" in answer.body and b"<b>" not in answer.body
    assert answer.headers["Content-Type"].startswith("text/html")
    s3.delete_bucket_website(Bucket=bucket)
    assert site("/").status == 404 and b"NoSuchWebsiteConfiguration" in site("/").body
    assert server.send("GET", "/", {"Host": f"no-such-bucket-here.{SUFFIX}"}).status == 404


def test_the_s3_name_of_the_bucket_is_no_website(server, bucket, site):
    assert server.send("GET", f"/{bucket}").code == "AccessDenied"


REDIRECTS = [
    # rule, path, status, location ({host}: the website's own)
    ({"Condition": {"KeyPrefixEquals": "old/"}, "Redirect": {"ReplaceKeyPrefixWith": "new/"}}, "/old/a b", 301, "http://{host}/new/a%20b"),
    ({"Condition": {"KeyPrefixEquals": "old/"}, "Redirect": {"ReplaceKeyWith": "gone.html", "HttpRedirectCode": "302"}}, "/old/a", 302, "http://{host}/gone.html"),
    ({"Condition": {"KeyPrefixEquals": "old/"}, "Redirect": {"HostName": "example.org", "Protocol": "https"}}, "/old/a", 301, "https://example.org/old/a"),
    ({"Condition": {"HttpErrorCodeReturnedEquals": "403"}, "Redirect": {"HostName": "example.org", "ReplaceKeyPrefixWith": "report/"}}, "/missing", 301, "http://example.org/report/missing"),
    ({"Condition": {"HttpErrorCodeReturnedEquals": "403", "KeyPrefixEquals": "a/"}, "Redirect": {"HostName": "example.org"}}, "/a/missing", 301, "http://example.org/a/missing"),
    ({"Condition": {"HttpErrorCodeReturnedEquals": "403", "KeyPrefixEquals": "a/"}, "Redirect": {"HostName": "example.org"}}, "/b/missing", 403, None),
    ({"Redirect": {"HostName": "example.org"}}, "/", 301, "http://example.org/"),
]


@pytest.mark.parametrize("rule, path, status, location", REDIRECTS, ids=lambda value: str(value)[:60])
def test_routing_rules(s3, bucket, site, rule, path, status, location):
    configure(s3, bucket, rule)
    answer = site(path.replace(" ", "%20"))
    assert answer.status == status
    assert answer.headers["Location"] == (location and location.format(host=f"{bucket}.{SUFFIX}"))


def test_the_first_rule_counts(s3, bucket, site):
    configure(s3, bucket, *(
        {"Condition": {"KeyPrefixEquals": prefix}, "Redirect": {"ReplaceKeyWith": target}}
        for prefix, target in (("a/b", "first"), ("a", "second"))))
    assert site("/a/b/c").headers["Location"].endswith("/first")
    assert site("/a/c").headers["Location"].endswith("/second")
    assert site("/").status == 200


def test_all_requests_to_another_host(s3, bucket, site):
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={
        "RedirectAllRequestsTo": {"HostName": "example.org", "Protocol": "https"}})
    answer = site("/some/page")
    assert (answer.status, answer.headers["Location"]) == (301, "https://example.org/some/page")


def test_objects_that_redirect(s3, bucket, site):
    s3.put_object(Bucket=bucket, Key="moved", Body=b"", ACL="public-read", WebsiteRedirectLocation="/docs/page.html")
    answer = site("/moved")
    assert (answer.status, answer.headers["Location"]) == (301, "/docs/page.html")
    assert s3.head_object(Bucket=bucket, Key="moved")["WebsiteRedirectLocation"] == "/docs/page.html"
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "moved"})
    assert "WebsiteRedirectLocation" not in s3.head_object(Bucket=bucket, Key="copy")
    with refused("InvalidRedirectLocation", 400):
        s3.put_object(Bucket=bucket, Key="bad", Body=b"", WebsiteRedirectLocation="javascript:alert(1)")
