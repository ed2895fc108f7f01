import Testing

@testable import ClusterState

@Suite struct WebhookAddressTests {
    @Test(
        "host, port and path",
        arguments: [
            ("http://a.example", "a.example", 80, "/"), ("http://a:8000/x/y?z=1", "a", 8000, "/x/y?z=1"),
            ("https://a", "a", 443, "/"), ("http://[::1]:9/e", "::1", 9, "/e"),
            ("http://10.0.0.1?q", "10.0.0.1", 80, "/?q"),
        ])
    func parts(_ text: String, _ host: String, _ port: Int, _ path: String) throws {
        let address = try #require(WebhookAddress(text))
        #expect((address.host, address.port, address.path) == (host, port, path))
        #expect(address.isSecure == text.hasPrefix("https"))
    }

    @Test(
        "what is no address to post to",
        arguments: [
            "", "ftp://a", "http://", "http:///x", "http://a:0/", "http://a:70000", "http://u:p@a/", "http://a/#f",
            "http://a/ b", "http://[::1", "a.example", "http://a/\u{e9}",
        ])
    func refused(_ text: String) { #expect(WebhookAddress(text) == nil) }
}
