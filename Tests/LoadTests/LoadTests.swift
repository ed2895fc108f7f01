import NIOCore
import Testing

@testable import Load

@Suite struct LoadTests {
    @Test("quantiles are right within the width of a bucket")
    func quantiles() {
        var histogram = LatencyHistogram()
        for value in 1...100_000 as ClosedRange<UInt64> { histogram.record(nanoseconds: value * 1000) }
        for quantile in [0.001, 0.5, 0.95, 0.99, 0.999] {
            let exact = quantile * 100
            #expect(abs(histogram.milliseconds(atQuantile: quantile) - exact) <= exact * 0.04)
        }
        #expect(histogram.milliseconds(atQuantile: 1) == 100)
        #expect(LatencyHistogram().milliseconds(atQuantile: 0.5) == 0)
    }

    @Test("content tells what it is, and one changed byte is noticed", arguments: [200, 4096, 100_001])
    func content(size: Int) {
        let content = ObjectContent(key: "load/key-1", version: 7, size: size)
        var bytes = content.bytes
        #expect(bytes.readableBytes == size)
        #expect(ObjectContent.claimed(by: bytes) == content)
        #expect(content.matches(bytes))
        bytes.setInteger(bytes.getInteger(at: size - 1, as: UInt8.self)! ^ 1, at: size - 1)
        #expect(!content.matches(bytes))
    }

    @Test("small contents are cut to their size", arguments: [0, 1, 10])
    func smallContent(size: Int) {
        #expect(ObjectContent(key: "k", version: 1, size: size).bytes.readableBytes == size)
    }

    @Test("a mix is chosen in its shares")
    func mix() throws {
        let mix = try #require(OperationMix("get=3,put=1"))
        var random = SeededRandom(seed: 1)
        let puts = (0..<10_000).filter { _ in mix.choose(using: &random) == .put }.count
        #expect((2300...2700).contains(puts))
        for wrong in ["", "get=", "fly", "get=0", "get=1=2"] { #expect(OperationMix(wrong) == nil) }
    }

    @Test("sizes are read with units and ranges")
    func sizes() {
        #expect(SizeRange("4096")?.range == 4096...4096)
        #expect(SizeRange("1KiB..1MiB")?.range == 1024...1_048_576)
        for wrong in ["", "x", "2..1", "1..2..3", "-1", "2GiB"] { #expect(SizeRange(wrong) == nil) }
    }

    @Test("keys are chosen within their number, the popular ones more often under zipf")
    func keys() {
        var random = SeededRandom(seed: 2)
        var zipf = KeyChooser(.zipf, keys: 100, worker: 0, workers: 1)
        var counts = [Int](repeating: 0, count: 100)
        for _ in 0..<10_000 { counts[zipf.choose(using: &random)] += 1 }
        #expect(counts[0] > 5 * counts[20])
        var sequence = KeyChooser(.sequential, keys: 5, worker: 1, workers: 2)
        #expect((0..<5).map { _ in sequence.choose(using: &random) } == [1, 3, 0, 2, 4])
    }

    @Test("what a key may hold after a crash: the last acknowledged version or a later attempt")
    func expectations() {
        typealias Line = AcknowledgedFile.Line
        let lines = [
            Line(key: "a", version: 1, size: 5, acknowledged: false),
            Line(key: "a", version: 1, size: 5, acknowledged: true),
            Line(key: "a", version: 2, size: 6, acknowledged: false),
            Line(key: "b", version: 1, size: 7, acknowledged: false),
        ]
        let expected = AcknowledgedFile.expectations(lines)
        #expect(expected["a"]?.map(\.version) == [1, 2])
        #expect(expected["b"]?.map(\.acknowledged) == [false])
    }
}
