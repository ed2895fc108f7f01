import Testing
import Wire

@testable import Gateway

@Suite("Rates, versions and sites of the Swift front")
struct SwiftMiddlewareTests {
    @Test("Writes wait for their turn, and are refused when that is too long")
    func rates() {
        let start = ContinuousClock.now
        var rate = WriteRate(now: start)
        let waits = (0..<4).map { _ in rate.admit(2, waitMax: .seconds(1), now: start) }
        #expect(waits == [.wait(.zero), .wait(.milliseconds(500)), .wait(.seconds(1)), .refuse])
        #expect(rate.admit(2, waitMax: .seconds(1), now: start + .seconds(1)) == .wait(.milliseconds(500)))
        // A pause gives no credit for later.
        #expect(rate.admit(2, waitMax: .seconds(1), now: start + .seconds(60)) == .wait(.zero))
        #expect(rate.admit(2, waitMax: .seconds(1), now: start + .seconds(60)) == .wait(.milliseconds(500)))
    }

    @Test("Copies of an object stand together, in the order of their times")
    func copies() {
        let name = Array("ä".utf8)
        #expect(LegacyVersions.prefix(of: name) == Array("002ä/".utf8))
        let first = LegacyVersions.name(of: name, milliseconds: 1_700_000_000_123, attempt: 0)
        #expect(first == Array("002ä/1700000000.12300".utf8))
        #expect(
            LegacyVersions.name(of: name, milliseconds: 1_700_000_000_123, attempt: 42)
                == Array("002ä/1700000000.12342".utf8))
        #expect(LegacyVersions.prefix(of: Array(repeating: 0x61, count: 1024)).starts(with: Array("400a".utf8)))
    }

    private func container(_ headers: [String: String]) -> BucketRecord {
        var container = BucketRecord()
        container.headers = headers.map { SwiftHeader(name: "x-container-meta-" + $0.key, value: $0.value) }
        return container
    }

    @Test("A site is named whole, or all are")
    func origins() {
        #expect(ContainerCORS(container([:])) == nil)
        let rules = ContainerCORS(container(["access-control-allow-origin": "https://a.example http://b:80"]))
        #expect(rules?.allows("https://a.example") == true)
        #expect(rules?.allows("http://b:80") == true)
        for other in ["https://a.example.c", "http://a.example", "https://a", "", "*"] {
            #expect(rules?.allows(other) == false, "\(other)")
        }
        #expect(ContainerCORS(container(["access-control-allow-origin": "*"]))?.allows("https://c") == true)
    }

    @Test("A container is a site when it says so")
    func sites() {
        #expect(StaticWeb(container(["web-index": "", "color": "blue"])) == nil)
        #expect(StaticWeb(container(["web-listings": "no"])) == nil)
        #expect(StaticWeb(container(["web-listings": "true"]))?.lists == true)
        #expect(StaticWeb(container(["web-error": "e.html"]))?.directoryType == "text/directory")
    }
}
