"""Containers for browsers: static websites and CORS."""
import pytest

from swiftapi import send


@pytest.fixture
def site(demo, container):
    """A public container; `post` sets headers, `get` is a browser."""
    class Site:
        url, path = f"{demo.url}/{container}", f"{demo.path}/{container}"

        @staticmethod
        def post(**headers):
            named = {"X-Container-Meta-" + n.replace("_", "-"): v for n, v in headers.items()}
            assert demo.send("POST", f"/{container}", named).status == 204

        @staticmethod
        def get(path="", method="GET", **headers):
            return send(method, f"{demo.url}/{container}{path}", {n.replace("_", "-"): v for n, v in headers.items()})

        @staticmethod
        def put(path, body=b"", **headers):
            demo.put(f"/{container}{path}", body, **headers)

        @staticmethod
        def read(acl):
            assert demo.send("POST", f"/{container}", {"X-Container-Read": acl}).status == 204

    Site.read(".r:*")
    return Site


# staticweb

def test_index(demo, site, container):
    site.put("/index.html", b"<home>")
    site.put("/d/index.html", b"<d>")
    assert site.get("/").status == 401
    site.post(Web_Index="index.html")
    home = site.get("/")
    assert home.status == 200 and home.body == b"<home>" and home.headers["content-type"] == "text/html"
    moved = site.get()
    assert moved.status == 301 and moved.headers["location"] == f"{site.url}/"
    assert site.get("/d/").body == b"<d>" and site.get("/d").headers["location"] == f"{site.url}/d/"
    assert site.get("/d/index.html").body == b"<d>" and site.get("/nothing/").status == 404
    assert site.get("/", method="HEAD").headers["content-length"] == "6"
    # With a token the container is a container, unless it is asked for as a page.
    assert sorted(demo.send("GET", f"/{container}/").lines) == ["d/index.html", "index.html"]
    assert demo.send("GET", f"/{container}/", {"X-Web-Mode": "true"}).body == b"<home>"


def test_listings(site):
    site.put("/d/<b>%20%26", b"12345")
    site.put("/d/e/f", b"1")
    site.put("/style.css", b"")
    site.post(Web_Listings="true", Web_Listings_CSS="style.css")
    # Objects may be read, the listing may not.
    assert site.get("/d/").status == 401
    site.read(".r:*,.rlistings")
    page = site.get("/d/")
    assert page.status == 200 and page.headers["content-type"].startswith("text/html")
    assert '<a href="./%3Cb%3E%20%26">&lt;b&gt; &amp;</a>' in page.text and '<a href="./e/">e/</a>' in page.text
    assert 'href="../style.css"' in page.text and "<td class=\"colsize\">5</td>" in page.text and '<a href="../">' in page.text
    assert "Listing of " + site.path + "/d/" in page.text and '<a href="../">' not in site.get("/").text
    assert site.get("/d").status == 301 and site.get("/nothing/").status == 404
    site.post(Web_Listings_Label="The <site>")
    assert "Listing of The &lt;site&gt;/d/" in site.get("/d/").text


def test_error_pages(site):
    site.put("/404oops.html", b"<lost>")
    site.put("/401oops.html", b"<no>")
    site.post(Web_Error="oops.html")
    for path in ("/nothing", "/nothing/at/all"):
        page = site.get(path)
        assert (page.status, page.body) == (404, b"<lost>")
    assert site.get("/nothing", Range="bytes=0-1").body == b"<lost>"
    site.read("")
    # Who may read nothing reads no error page either.
    assert site.get("/nothing").status == 401 and site.get("/nothing").body != b"<no>"


def test_directories(site):
    site.put("/d", b"", Content_Type="application/directory")
    site.put("/d/index.html", b"<d>")
    site.put("/e", b"", Content_Type="application/x-dir")
    site.put("/e/index.html", b"<e>")
    site.post(Web_Index="index.html", Web_Directory_Type="application/x-dir")
    assert site.get("/d").status == 200 and site.get("/d").body == b""
    assert site.get("/e").headers["location"] == f"{site.url}/e/" and site.get("/e/").body == b"<e>"


def test_private_sites(demo, site, container):
    site.put("/index.html", b"<home>")
    site.post(Web_Index="index.html", Web_Listings="true")
    site.read("")
    assert site.get("/").status == 401 and site.get("/index.html").status == 401 and site.get("/x").status == 401
    assert demo.send("GET", f"/{container}/", {"X-Web-Mode": "true"}).body == b"<home>"


# CORS

PREFLIGHT = {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}


def test_preflight(site):
    assert site.get("/o", "OPTIONS").status == 200 and "GET" in site.get("/o", "OPTIONS").headers["allow"]
    assert site.get("/o", "OPTIONS", **PREFLIGHT).status == 401
    site.post(Access_Control_Allow_Origin="https://a.example http://b.example:8080", Access_Control_Max_Age="60")
    answer = send("OPTIONS", f"{site.url}/o", {**PREFLIGHT, "Access-Control-Request-Headers": "X-Auth-Token, X-Object-Meta-A"})
    assert answer.status == 200 and answer.headers["access-control-allow-origin"] == "https://a.example"
    assert answer.headers["access-control-max-age"] == "60" and "PUT" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "X-Auth-Token, X-Object-Meta-A"
    assert send("OPTIONS", site.url, PREFLIGHT).status == 200
    for changed in ({"Origin": "https://c.example"}, {"Origin": "https://a.example.c"}, {"Access-Control-Request-Method": "BREW"}):
        refused = send("OPTIONS", f"{site.url}/o", {**PREFLIGHT, **changed})
        assert refused.status == 401 and "access-control-allow-origin" not in refused.headers
    assert send("OPTIONS", f"{site.url}/o", {"Origin": "https://a.example"}).status == 401
    assert send("OPTIONS", f"{site.url}-missing/o", PREFLIGHT).status == 401


def test_answers_for_scripts(site):
    site.put("/o", b"x", X_Object_Meta_Color="blue")
    assert "access-control-allow-origin" not in site.get("/o", Origin="https://a.example").headers
    site.post(Access_Control_Allow_Origin="https://a.example", Access_Control_Expose_Headers="x-one x-two")
    got = site.get("/o", Origin="https://a.example").headers
    assert got["access-control-allow-origin"] == "https://a.example"
    exposed = set(got["access-control-expose-headers"].split(", "))
    assert {"etag", "x-trans-id", "x-object-meta-color", "x-one", "x-two"} <= exposed
    # Errors too: the script is to see them.
    assert site.get("/nothing", Origin="https://a.example").headers["access-control-allow-origin"] == "https://a.example"
    assert "access-control-allow-origin" not in site.get("/o", Origin="https://b.example").headers
    site.post(Access_Control_Allow_Origin="*")
    assert site.get("/o", Origin="https://b.example").headers["access-control-allow-origin"] == "*"
