import Foundation
import NIOHTTP1

/// The signatures of the operations that a plan has chosen in advance, by turn and endpoint.
struct SignedAhead: Sendable {
    private struct Entry: Sendable {
        var version: ObjectVersion?
        var headers: [HTTPHeaders]
    }

    /// Servers refuse signatures that are 15 minutes old.
    static let secondsMax: Int64 = 600

    private let entries: [Entry]
    private let signed: Int64

    /// - Parameter now: Seconds since 1970.
    init(_ plan: LoadPlan, _ settings: S3ClientSettings, now: Int64 = Int64(time(nil))) throws {
        signed = now
        entries = try (plan.script?.operations ?? []).map { planned in
            guard planned.operation != .multipart else { return Entry(headers: []) }
            let content = planned.version.map { ObjectContent(key: planned.key, version: $0) }
            let request = S3Request(planned, content, plan)
            let headers = try settings.endpoints.map { try settings.signed(request, for: $0, at: now) }
            return Entry(version: planned.version, headers: headers)
        }
    }

    /// nil when there are none, or they are too old, or of another version: a repetition writes one of its own.
    func headers(
        turn: Int, version: ObjectVersion?, endpoint: Int, now: Int64 = Int64(time(nil))
    ) -> HTTPHeaders? {
        guard entries.indices.contains(turn), now - signed < Self.secondsMax else { return nil }
        let entry = entries[turn]
        return entry.version == version && entry.headers.indices.contains(endpoint) ? entry.headers[endpoint] : nil
    }
}
