import NIOHTTP1
import Signatures
import Testing

@testable import Load

@Suite("Signatures made before a run")
struct SignedAheadTests {
    private let settings = S3ClientSettings(
        endpoints: [S3Endpoint("http://a:1")!, S3Endpoint("http://b:2")!],
        signer: RequestSigner(accessKeyID: "id", secret: "secret"), signsPayload: true, timeout: .seconds(1))

    private func plan(_ mix: String, count: Int? = nil) throws -> LoadPlan {
        var plan = LoadPlanTests.plan()
        plan.mix = try #require(LoadPlan.mix(mix))
        plan.count = count
        return plan
    }

    @Test("They are those that would be made while it runs, for each endpoint", arguments: [SignatureVersion.v4, .v2])
    func same(version: SignatureVersion) throws {
        var settings = settings
        settings.version = version
        let plan = try plan("put=1,get=1,delete=1,list=1").choosing(40)
        let ahead = try SignedAhead(plan, settings, now: 1_700_000_000)
        var random = SeededRandom(seed: 99)
        for turn in 0..<40 {
            let planned = plan.operation(turn: turn, &random)
            #expect((planned.version != nil) == (planned.operation == .put))
            let content = planned.version.map { ObjectContent(key: planned.key, version: $0) }
            for endpoint in 0..<2 {
                let now = try settings.signed(
                    S3Request(planned, content, plan), for: settings.endpoints[endpoint], at: 1_700_000_000)
                let made = ahead.headers(turn: turn, version: content?.version, endpoint: endpoint, now: 1_700_000_001)
                #expect(made == now)
                #expect(made?.first(name: "host") == ["a:1", "b:2"][endpoint])
            }
        }
    }

    @Test("None is used for another version, when it has become old, or behind the last one")
    func limits() throws {
        let plan = try plan("put", count: 3).choosing(10)
        #expect(plan.script?.operations.count == 3)
        let ahead = try SignedAhead(plan, settings, now: 1000)
        var version = try #require(plan.script?.operations[0].version)
        #expect(ahead.headers(turn: 0, version: version, endpoint: 0, now: 1000) != nil)
        #expect(ahead.headers(turn: 0, version: version, endpoint: 0, now: 1000 + SignedAhead.secondsMax) == nil)
        #expect(ahead.headers(turn: 3, version: version, endpoint: 0, now: 1000) == nil)
        version.number += 1
        #expect(ahead.headers(turn: 0, version: version, endpoint: 0, now: 1000) == nil)
    }

    @Test("What was not chosen before is drawn, and does not end with what was")
    func rest() throws {
        let plan = try plan("get", count: 5).choosing(2)
        let pacer = Pacer(plan, start: MonotonicClock.now())
        #expect((0..<9).compactMap { _ in pacer.next() }.count == 5)
        var random = SeededRandom(seed: 1)
        #expect(plan.operation(turn: 4, &random).operation == .get)
    }
}
