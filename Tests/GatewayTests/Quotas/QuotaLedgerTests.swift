import Model
import ObjectAccess
import Testing

@testable import Gateway

@Suite struct QuotaLedgerTests {
    private let bucket = BucketID(high: 1, low: 1)
    private let start = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    private func limit(objects: UInt64 = 0, bytes: UInt64 = 0) -> [QuotaLimit] {
        [QuotaLimit(subject: "bucket", buckets: [bucket], objects: objects, bytes: bytes)]
    }

    private func ledger(objects: UInt64 = 0, bytes: UInt64 = 0) -> QuotaLedger {
        var ledger = QuotaLedger()
        ledger.surveyed(bucket, StoredUsage(objects: objects, bytes: bytes), askedAt: start)
        return ledger
    }

    @Test("room is reserved to the last byte, for requests that are under way too")
    func reserved() {
        var ledger = ledger(bytes: 600)
        let limits = limit(bytes: 1000)
        #expect(ledger.reserve(UsageChange(bytes: 300), bucket, for: 1, limits) == nil)
        #expect(ledger.reserve(UsageChange(bytes: 101), bucket, for: 2, limits)?.unit == "bytes")
        #expect(ledger.reserve(UsageChange(bytes: 100), bucket, for: 2, limits) == nil)
        #expect(ledger.reserve(UsageChange(bytes: 1), bucket, for: 3, limits)?.most == 1000)
        ledger.ended(1, bucket, tookEffect: false, at: at(0.1))
        #expect(ledger.reserve(UsageChange(bytes: 300), bucket, for: 3, limits) == nil)
        #expect(ledger.held(by: [bucket]).bytes == 1000)
    }

    @Test("a repeated attempt of one request reserves once")
    func repeated() {
        var ledger = ledger(bytes: 900)
        for _ in 0..<5 {
            #expect(ledger.reserve(UsageChange(bytes: 100), bucket, for: 7, limit(bytes: 1000)) == nil)
        }
        ledger.ended(7, bucket, tookEffect: true, at: at(0.1))
        #expect(ledger.held(by: [bucket]).bytes == 1000)
        ledger.ended(7, bucket, tookEffect: true, at: at(0.1))
        #expect(ledger.held(by: [bucket]).bytes == 1000)
    }

    @Test("what does not grow is never refused, however much is there")
    func shrinking() {
        var ledger = ledger(objects: 10, bytes: 5000)
        let limits = limit(objects: 2, bytes: 1000)
        #expect(ledger.reserve(UsageChange(objects: 0, bytes: -1), bucket, for: 1, limits) == nil)
        #expect(ledger.reserve(UsageChange(objects: 0, bytes: 0), bucket, for: 2, limits) == nil)
        #expect(ledger.reserve(UsageChange(objects: 1, bytes: -5), bucket, for: 3, limits)?.unit == "objects")
    }

    @Test(
        "a survey that misses what was written a moment ago does not make room; a later one counts",
        arguments: [true, false])
    func missing(counts: Bool) {
        var ledger = ledger(bytes: 600)
        _ = ledger.reserve(UsageChange(bytes: 400), bucket, for: 1, limit(bytes: 1000))
        ledger.ended(1, bucket, tookEffect: true, at: at(1))
        ledger.surveyed(bucket, StoredUsage(bytes: counts ? 1000 : 600), askedAt: at(1.5))
        #expect(ledger.held(by: [bucket]).bytes == 1000)
        ledger.surveyed(bucket, StoredUsage(bytes: 600), askedAt: at(10))
        #expect(ledger.held(by: [bucket]).bytes == 600)
    }

    @Test("a survey that has counted what is still under way does not count it twice")
    func underWay() {
        var ledger = ledger(bytes: 600)
        _ = ledger.reserve(UsageChange(bytes: 400), bucket, for: 1, limit(bytes: 2000))
        ledger.surveyed(bucket, StoredUsage(bytes: 1000), askedAt: at(1))
        #expect(ledger.held(by: [bucket]).bytes == 1000)
        ledger.ended(1, bucket, tookEffect: true, at: at(1.2))
        #expect(ledger.held(by: [bucket]).bytes == 1000)
    }

    @Test("what others wrote and removed is taken over, beside one's own changes")
    func others() {
        var ledger = ledger(bytes: 600)
        ledger.note(UsageChange(bytes: -100), bucket, at: at(1))
        #expect(ledger.held(by: [bucket]).bytes == 500)
        ledger.surveyed(bucket, StoredUsage(bytes: 900), askedAt: at(1.5))
        #expect(ledger.held(by: [bucket]).bytes == 800, "one's own delete may be missing from it")
        ledger.surveyed(bucket, StoredUsage(bytes: 50), askedAt: at(2))
        #expect(ledger.held(by: [bucket]).bytes == 50)
    }

    @Test("many changes between two surveys are kept in bounded memory and stay exact")
    func many() {
        var ledger = ledger()
        for number in 0..<10_000 {
            _ = ledger.reserve(UsageChange(objects: 1, bytes: 3), bucket, for: UInt64(number), limit(objects: 1 << 20))
            ledger.ended(UInt64(number), bucket, tookEffect: true, at: at(0.5))
        }
        #expect(ledger.held(by: [bucket]) == UsageChange(objects: 10_000, bytes: 30_000))
    }
}
