import ClusterState
import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// What is locked cannot be removed: the rules, for every way in which a version can go. Pure.
enum ObjectLock {
    static let documentName = "object-lock"

    /// Throws `AccessDenied` for a version that must stay.
    /// - Parameter bypass: whoever asks may pass over governance, and wants to.
    static func checkRemoval(of version: ObjectRecord, bypass: Bool, nowMilliseconds: Int64) throws(S3Error) {
        guard !version.isLocked(bypass: bypass, nowMilliseconds: nowMilliseconds) else {
            throw S3Error(.accessDenied, "Access Denied because object protected by object lock.")
        }
    }

    /// Throws `AccessDenied` unless the version may get another retention: longer ones of the same strength always,
    /// others only where governance may be passed over or nothing is in force.
    static func checkChange(
        of version: ObjectRecord, to mode: RetentionMode?, untilMilliseconds until: Int64, bypass: Bool,
        nowMilliseconds: Int64
    ) throws(S3Error) {
        guard isRetained(version, nowMilliseconds) else { return }
        let weakens = mode == nil || until < version.lockUntilMilliseconds || mode?.rawValue != version.lockMode
        let strengthens =
            mode == .compliance && version.lockMode == governance && until >= version.lockUntilMilliseconds
        guard !weakens || strengthens || bypass && version.lockMode == governance else {
            throw S3Error(.accessDenied, "Access Denied because object protected by object lock.")
        }
    }

    private static let governance = RetentionMode.governance.rawValue

    private static func isRetained(_ version: ObjectRecord, _ now: Int64) -> Bool {
        !version.lockMode.isEmpty && version.lockUntilMilliseconds > now
    }
}

/// The lock that a request or its bucket gives to a new version.
struct RequestedLock: Sendable, Equatable {
    var mode: RetentionMode?
    var untilMilliseconds: Int64 = 0
    var legalHold = false
    /// The request has said something about it.
    var knowsLegalHold = false

    /// From the headers, else from the bucket's default.
    init(_ headers: HTTPHeaders, bucket: BucketRecord, nowMilliseconds: Int64) throws {
        let mode = headers.first(name: "x-amz-object-lock-mode")
        let until = headers.first(name: "x-amz-object-lock-retain-until-date")
        let hold = headers.first(name: "x-amz-object-lock-legal-hold")
        guard let configuration = bucket.objectLock else {
            if mode != nil || until != nil || hold != nil { throw S3Error.missingObjectLock }
            return
        }
        switch (mode, until) {
        case (nil, nil): applyDefault(configuration, nowMilliseconds)
        case (let mode?, let until?):
            guard let mode = RetentionMode(rawValue: mode) else {
                throw S3Error.invalidArgument(
                    "Unknown wormMode directive.", name: "x-amz-object-lock-mode", value: mode)
            }
            guard let date = HTTPDate.parseISO8601(until) ?? HTTPDate.parse(until).map({ $0 * 1000 }) else {
                throw S3Error.invalidArgument(
                    "The retain until date must be provided in ISO 8601 format",
                    name: "x-amz-object-lock-retain-until-date", value: until)
            }
            guard date > nowMilliseconds else {
                throw S3Error.invalidArgument(
                    "The retain until date must be in the future!", name: "x-amz-object-lock-retain-until-date",
                    value: until)
            }
            (self.mode, untilMilliseconds) = (mode, date)
        default:
            throw S3Error(
                .invalidArgument,
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied")
        }
        knowsLegalHold = hold != nil
        switch hold {
        case nil, "OFF"?: legalHold = false
        case "ON"?: legalHold = true
        case let other?:
            throw S3Error.invalidArgument(
                "Legal Hold must be either of 'ON' or 'OFF'", name: "x-amz-object-lock-legal-hold", value: other)
        }
    }

    private mutating func applyDefault(_ configuration: ObjectLockDocument, _ nowMilliseconds: Int64) {
        guard let retention = configuration.defaultRetention else { return }
        mode = retention.mode
        untilMilliseconds = nowMilliseconds + retention.days * 86_400_000
    }
}

extension ObjectRecord {
    mutating func set(_ lock: RequestedLock) {
        lockMode = lock.mode?.rawValue ?? ""
        lockUntilMilliseconds = lock.untilMilliseconds
        legalHold = lock.legalHold
        legalHoldKnown = lock.knowsLegalHold
    }
}

extension ObjectRecord {
    /// `ON` or `OFF`; nil: nobody ever said anything about a legal hold of this version.
    var legalHoldStatus: String? { legalHold ? "ON" : legalHoldKnown ? "OFF" : nil }
}

extension BucketRecord {
    /// nil: the bucket has no object lock.
    var objectLock: ObjectLockDocument? {
        document(ObjectLock.documentName).flatMap { try? ObjectLockDocument(parsing: $0) }
    }
}

extension S3Error {
    static let missingObjectLock = S3Error(.invalidRequest, "Bucket is missing Object Lock Configuration")
}
