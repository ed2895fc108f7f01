import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Testing
import Wire

@testable import Gateway

@Suite struct ObjectLockTests {
    private static let configuration = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>"
    private static let later = "2040-01-01T00:00:00Z"
    private static let muchLater = "2050-01-01T00:00:00Z"

    private func gateway(_ rule: String = "") async throws -> TestGateway {
        try await .withBucket(documents: [
            "versioning": "Enabled", "object-lock": Self.configuration + rule + "</ObjectLockConfiguration>",
        ])
    }

    private func retain(
        _ gateway: TestGateway, _ mode: String, _ until: String, bypass: Bool = false
    ) async -> Answer {
        await gateway.send(
            .putObjectRetention, .PUT, key: "k", headers: bypass ? ["x-amz-bypass-governance-retention": "true"] : [:],
            body: Array("<Retention><Mode>\(mode)</Mode><RetainUntilDate>\(until)</RetainUntilDate></Retention>".utf8))
    }

    @Test(
        "a retained version cannot be deleted; governance can be passed over", arguments: ["GOVERNANCE", "COMPLIANCE"])
    func retention(_ mode: String) async throws {
        let gateway = try await gateway()
        let version = try #require(await gateway.put("k", [1]).version)
        #expect(await retain(gateway, mode, Self.later).status == 200)
        #expect(await gateway.delete("k", version: version).code == "AccessDenied")
        #expect(await gateway.delete("k").status == 204, "a delete marker hides it and removes nothing")
        let bypassed = await gateway.delete(
            "k", version: version, headers: ["x-amz-bypass-governance-retention": "true"])
        #expect(bypassed.status == (mode == "GOVERNANCE" ? 204 : 403))
    }

    @Test("a retention may be made longer, and shorter only where governance is passed over")
    func changes() async throws {
        let gateway = try await gateway()
        await gateway.put("k", [1])
        #expect(await retain(gateway, "GOVERNANCE", Self.later).status == 200)
        #expect(await retain(gateway, "GOVERNANCE", Self.muchLater).status == 200)
        #expect(await retain(gateway, "GOVERNANCE", Self.later).code == "AccessDenied")
        #expect(await retain(gateway, "GOVERNANCE", Self.later, bypass: true).status == 200)
        #expect(await retain(gateway, "COMPLIANCE", Self.muchLater).status == 200)
        #expect(await retain(gateway, "COMPLIANCE", Self.later, bypass: true).code == "AccessDenied")
        #expect(await retain(gateway, "GOVERNANCE", Self.muchLater, bypass: true).code == "AccessDenied")
    }

    @Test("a legal hold stands in the way, whatever else is said")
    func legalHold() async throws {
        let gateway = try await gateway()
        let version = try #require(
            await gateway.put("k", [1], headers: ["x-amz-object-lock-legal-hold": "ON"]).version)
        await gateway.put("k", [2])
        await gateway.operations.archive.wait()
        let bypass: HTTPHeaders = ["x-amz-bypass-governance-retention": "true"]
        #expect(await gateway.delete("k", version: version, headers: bypass).code == "AccessDenied")
        let off = Array("<LegalHold><Status>OFF</Status></LegalHold>".utf8)
        let released = await gateway.send(
            .putObjectLegalHold, .PUT, key: "k", query: [("versionId", version)], body: off)
        #expect(released.status == 200)
        #expect(await gateway.delete("k", version: version).status == 204)
    }

    @Test("the bucket's default applies to new versions, unless the request says something else")
    func defaults() async throws {
        let gateway = try await gateway(
            "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>2</Days></DefaultRetention></Rule>")
        await gateway.put("k", [1])
        let head = await gateway.send(.headObject, .HEAD, key: "k")
        #expect(head.headers.first(name: "x-amz-object-lock-mode") == "GOVERNANCE")
        #expect(
            head.headers.first(name: "x-amz-object-lock-retain-until-date")
                == HTTPDate.iso8601(milliseconds: TestGateway.now + 2 * 86_400_000))
        await gateway.put(
            "k", [1],
            headers: ["x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-retain-until-date": Self.later])
        #expect(
            await gateway.send(.headObject, .HEAD, key: "k").headers.first(name: "x-amz-object-lock-mode")
                == "COMPLIANCE")
    }

    @Test(
        "locks that make no sense are refused",
        arguments: [
            (["x-amz-object-lock-mode": "GOVERNANCE"], "InvalidArgument"),
            (["x-amz-object-lock-retain-until-date": later], "InvalidArgument"),
            (["x-amz-object-lock-mode": "X", "x-amz-object-lock-retain-until-date": later], "InvalidArgument"),
            (
                [
                    "x-amz-object-lock-mode": "GOVERNANCE",
                    "x-amz-object-lock-retain-until-date": "2001-01-01T00:00:00Z",
                ], "InvalidArgument"
            ),
            (["x-amz-object-lock-legal-hold": "X"], "InvalidArgument"),
        ] as [(HTTPHeaders, String)])
    func badHeaders(_ headers: HTTPHeaders, _ code: String) async throws {
        #expect(await (try gateway()).put("k", [1], headers: headers).code == code)
        let plain = try await TestGateway.withBucket()
        #expect(await plain.put("k", [1], headers: headers).code == "InvalidRequest")
    }

    @Test("versioning of a bucket with object lock stays enabled")
    func versioningStays() async throws {
        #expect(await (try gateway()).setVersioning("Suspended").code == "InvalidBucketState")
    }

    @Test(
        "configurations that make no sense are refused",
        arguments: [
            (
                "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>0</Days></DefaultRetention></Rule>",
                "InvalidRetentionPeriod"
            ),
            (
                "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Years>-1</Years></DefaultRetention></Rule>",
                "InvalidRetentionPeriod"
            ),
            ("<Rule><DefaultRetention><Mode>X</Mode><Days>1</Days></DefaultRetention></Rule>", "MalformedXML"),
            ("<Rule><DefaultRetention><Mode>GOVERNANCE</Mode></DefaultRetention></Rule>", "MalformedXML"),
            (
                "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years></DefaultRetention></Rule>",
                "MalformedXML"
            ),
        ])
    func badConfigurations(_ rule: String, _ code: String) async throws {
        let body = Self.configuration + rule + "</ObjectLockConfiguration>"
        #expect(await (try gateway()).send(.putObjectLockConfiguration, .PUT, body: Array(body.utf8)).code == code)
    }
}
