import Foundation
import Linearizability
import Testing

@testable import Load

@Suite("Content of objects")
struct ObjectContentTests {
    private let content = ObjectContent(
        key: "load/1", version: ObjectVersion(run: "r", client: 1, number: 2, size: 10_007))

    private func bytes(_ content: ObjectContent, _ range: Range<Int>) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        bytes.withUnsafeMutableBytes { content.fill($0, from: range.lowerBound) }
        return bytes
    }

    @Test(
        "Any piece has the same bytes as the whole", arguments: [0..<10_007, 0..<1, 3..<5, 5..<21, 8..<16, 4095..<9001])
    func pieces(range: Range<Int>) {
        let whole = bytes(content, 0..<content.size)
        #expect(bytes(content, range) == Array(whole[range]))
        #expect(whole[range].withUnsafeBytes { content.matches($0, at: range.lowerBound) })
    }

    @Test("One changed byte is noticed, wherever it is", arguments: [0, 1, 7, 8, 4096, 10_006])
    func damage(position: Int) {
        var whole = bytes(content, 0..<content.size)
        whole[position] ^= 1
        #expect(!whole.withUnsafeBytes { content.matches($0, at: 0) })
    }

    @Test("Bytes of another key, another version or beyond the end do not match")
    func foreign() {
        let whole = bytes(content, 0..<content.size)
        var version = content.version
        version.number += 1
        #expect(!whole.withUnsafeBytes { ObjectContent(key: "load/1", version: version).matches($0, at: 0) })
        #expect(!whole.withUnsafeBytes { ObjectContent(key: "load/2", version: content.version).matches($0, at: 0) })
        #expect(!whole.withUnsafeBytes { content.matches($0, at: 1) })
    }

    @Test("A version reads back from its text, anything else is none")
    func versions() {
        #expect(ObjectVersion("\(content.version)") == content.version)
        for text in ["", "r-1-2", "r-1-2--3", "r-a-2-3", "-1-2-3", "r-1-2-3-4"] { #expect(ObjectVersion(text) == nil) }
    }
}

@Suite("Latencies")
struct LatencyHistogramTests {
    @Test("Quantiles are within 1.6 % of the exact ones")
    func quantiles() {
        var histogram = LatencyHistogram()
        for value in 1...100_000 { histogram.record(nanoseconds: Int64(value) * 1000) }
        for share in [0.001, 0.5, 0.95, 0.99, 0.999] {
            let exact = share * 0.1
            #expect(abs(histogram.quantile(share) - exact) <= exact * 0.016)
        }
        #expect(histogram.quantile(1) == 0.1)
        #expect(LatencyHistogram().quantile(0.5) == 0)
    }

    @Test("Every value falls into a bucket that holds it", arguments: [0, 1, 63, 64, 65, 127, 128, 1 << 40, .max])
    func buckets(value: UInt64) {
        let bucket = LatencyHistogram.bucket(of: value)
        #expect(LatencyHistogram.highest(in: bucket) >= value)
        #expect(bucket == 0 || LatencyHistogram.highest(in: bucket - 1) < value)
    }

    @Test("Merging is as if all had been recorded in one")
    func merging() {
        var low = LatencyHistogram()
        var high = LatencyHistogram()
        low.record(nanoseconds: 10)
        high.record(nanoseconds: 1_000_000)
        low.merge(high)
        #expect(low.count == 2 && low.max == 1_000_000 && low.quantile(0.5) == 10e-9)
    }
}

@Suite("Plan of a run")
struct LoadPlanTests {
    @Test("A mix is drawn in its shares")
    func mix() throws {
        var plan = Self.plan()
        plan.mix = try #require(LoadPlan.mix("get=3,put=1"))
        var random = SeededRandom(seed: 1)
        let puts = (0..<10_000).count { _ in plan.draw(&random) == .put }
        #expect((2300...2700).contains(puts))
        for wrong in ["", "get=", "fly", "get=0", "get=1=2"] { #expect(LoadPlan.mix(wrong) == nil) }
    }

    @Test("Sizes are one, or two with dots between them, or several with shares")
    func sizes() throws {
        #expect(try SizeChoice(parsing: "4KiB") == SizeChoice([.init(sizes: 4096...4096, weight: 1)]))
        #expect(try SizeChoice(parsing: "1KiB..1MiB") == SizeChoice([.init(sizes: 1024...1_048_576, weight: 1)]))
        let mixed = try SizeChoice(parsing: "1KiB=3,1MiB..2MiB=1")
        #expect(
            mixed == SizeChoice([.init(sizes: 1024...1024, weight: 3), .init(sizes: 1 << 20...2 << 20, weight: 1)]))
        var random = SeededRandom(seed: 3)
        let sizes = (0..<10_000).map { _ in mixed.size(&random) }
        #expect((7300...7700).contains(sizes.count { $0 == 1024 }))
        #expect(sizes.allSatisfy { $0 == 1024 || (1 << 20...2 << 20).contains($0) })
        for wrong in ["", "2MiB..1MiB", "1..2..3", "1KiB,2KiB", "1KiB=0", "1KiB=1=1", "1KiB=1,", "=1"] {
            #expect(throws: (any Error).self) { try SizeChoice(parsing: wrong) }
        }
    }

    @Test("Parts cover an object once, in order, and are full but for the last")
    func parts() {
        #expect(MultipartUpload.parts(of: 0, partSize: 10) == [0..<0])
        #expect(MultipartUpload.parts(of: 10, partSize: 10) == [0..<10])
        #expect(MultipartUpload.parts(of: 25, partSize: 10) == [0..<10, 10..<20, 20..<25])
        #expect(
            MultipartUpload.completion(["\"a\"", "\"b\""])
                == "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag></Part>"
                + "<Part><PartNumber>2</PartNumber><ETag>\"b\"</ETag></Part></CompleteMultipartUpload>")
    }

    @Test("A body is sent in any pieces: a part of an object's content, or a document")
    func bodies() {
        func bytes(_ body: S3Body, from offset: Int, count: Int) -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: count)
            bytes.withUnsafeMutableBytes { body.fill($0, from: offset) }
            return bytes
        }
        let content = ObjectContent(key: "k", version: ObjectVersion(run: "r", client: 0, number: 1, size: 1000))
        let whole = bytes(.whole(content), from: 0, count: 1000)
        let part = S3Body.content(content, 300..<700)
        #expect(part.size == 400)
        #expect(bytes(part, from: 0, count: 400) == Array(whole[300..<700]))
        #expect(bytes(part, from: 101, count: 7) == Array(whole[401..<408]))
        #expect(bytes(.document("hello"), from: 1, count: 3) == Array("ell".utf8))
        #expect(S3Body.document("abc").digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test("Keys come in turn, evenly, or the first ones most often")
    func keys() {
        var random = SeededRandom(seed: 7)
        let sequential = KeyChoice(prefix: "p/", count: 3, distribution: .sequential)
        #expect(
            (0..<4).map { sequential.key(sequential.index(turn: $0, &random)) }
                == ["p/00000000", "p/00000001", "p/00000002", "p/00000000"])
        let zipf = KeyChoice(prefix: "", count: 100, distribution: .zipf)
        var counts = [Int](repeating: 0, count: 100)
        for _ in 0..<10_000 { counts[zipf.index(turn: 0, &random)] += 1 }
        #expect(counts[0] > 1000 && counts[0] > 5 * counts[20] && counts[99] > 0)
    }

    @Test("Turns end with the count and are due at the rate")
    func pacing() {
        var plan = Self.plan()
        plan.count = 3
        plan.rate = 10
        let start = MonotonicClock.now()
        let pacer = Pacer(plan, start: start)
        let turns = (0..<5).compactMap { _ in pacer.next() }
        #expect(turns.map { $0.due - start } == [0, 100_000_000, 200_000_000])
    }

    static func plan() -> LoadPlan {
        LoadPlan(
            mix: [(.put, 1)], bucket: "b", keys: KeyChoice(prefix: "", count: 10, distribution: .uniform),
            sizes: SizeChoice([.init(sizes: 1...1, weight: 1)]),
            partSize: 5 << 20, concurrency: 1, count: nil, seconds: nil, rate: nil, retries: 0, seed: 1, listKeys: 1,
            run: "r")
    }
}

@Suite("What a key may hold after a run")
struct FinalStateTests {
    private func write(
        _ version: String?, _ call: Int64, _ returned: Int64?, _ outcome: HistoryOperation.Outcome = .ok
    ) -> HistoryOperation {
        HistoryOperation(
            client: 1, key: "k", kind: version == nil ? .delete : .put, value: version, call: call, returned: returned,
            outcome: outcome)
    }

    @Test("The last acknowledged write, and nothing before it")
    func last() {
        let state = FinalState([write("a", 0, 1), write("b", 2, 3)])
        #expect(state == FinalState(versions: ["b"], mayBeAbsent: false))
        #expect(state.fault(found: "b") == nil)
        #expect(state.fault(found: "a") != nil && state.fault(found: nil) != nil)
    }

    @Test("Of writes at the same time, any one")
    func concurrent() {
        #expect(
            FinalState([write("a", 0, 5), write("b", 2, 3)]) == FinalState(versions: ["a", "b"], mayBeAbsent: false))
    }

    @Test("An attempt without an answer may have taken effect, even late")
    func unknown() {
        let state = FinalState([write("a", 0, nil, .unknown), write("b", 2, 3)])
        #expect(state == FinalState(versions: ["a", "b"], mayBeAbsent: false))
        #expect(FinalState([write("a", 0, nil, .unknown)]) == FinalState(versions: ["a"], mayBeAbsent: true))
        #expect(FinalState([write("a", 0, 1, .failed)]) == FinalState(versions: [], mayBeAbsent: true))
    }

    @Test("A delete leaves nothing, unless a write came after it")
    func deletes() {
        #expect(FinalState([write("a", 0, 1), write(nil, 2, 3)]) == FinalState(versions: [], mayBeAbsent: true))
        #expect(FinalState([write(nil, 0, 1), write("a", 2, 3)]) == FinalState(versions: ["a"], mayBeAbsent: false))
    }
}
