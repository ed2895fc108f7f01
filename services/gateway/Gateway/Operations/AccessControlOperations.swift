import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// GetBucketAcl, PutBucketAcl, GetObjectAcl, PutObjectAcl: canned lists only.
extension S3Operations {
    func getBucketACL(_ call: S3Call) async throws -> S3Response {
        let list = CannedACL(rawValue: call.bucket.acl) ?? .private
        return .xml(AccessControlPolicy(owner: call.bucket.owner, canned: list).xml())
    }

    func putBucketACL(_ call: S3Call) async throws -> S3Response {
        let list = try await requestedList(call, owner: call.bucket.owner, allowed: Self.bucketLists)
        let reply = try await buckets.change(
            ChangeBucketRequest(
                change: .bucketSetAcl, name: call.bucket.name, owner: call.bucket.owner, acl: list.rawValue),
            context: call.context)
        try Self.check(reply)
        return S3Response()
    }

    func getObjectACL(_ call: S3Call) async throws -> S3Response {
        let (object, _) = try await readObject(call, withBlob: false)
        return .xml(AccessControlPolicy(owner: object.owner, canned: object.cannedACL).xml())
    }

    func putObjectACL(_ call: S3Call) async throws -> S3Response {
        let owner = try await readObject(call, withBlob: false).record.owner
        let list = try await requestedList(call, owner: owner, allowed: Set(CannedACL.allCases))
        let key = call.key
        _ = try await storage.update(call.object, context: call.context) { state in
            guard let record = state.flatMap({ $0.isLive ? $0.record : nil }) else {
                return .refuse(S3Error.noSuchKey(key))
            }
            do {
                var object = try ObjectRecord(stored: record)
                object.acl = list.rawValue
                return .write(object.stored)
            } catch {
                return .refuse(error)
            }
        }
        return S3Response()
    }

    /// From the header, or from a body that says the same as a canned list.
    private func requestedList(
        _ call: S3Call, owner: String, allowed: Set<CannedACL>
    ) async throws -> CannedACL {
        let body = try await call.request.body.collect(upTo: Limits.xmlBodySizeMax)
        if let list = try cannedACL(call.request.headers, allowed: allowed) {
            guard body.readableBytes == 0 else { throw S3Error(.unexpectedContent) }
            return list
        }
        guard body.readableBytes > 0 else { throw S3Error(.missingSecurityHeader) }
        let policy = try AccessControlPolicy(parsing: Array(body.readableBytesView))
        guard let list = policy.canned(owner: owner), allowed.contains(list) else {
            throw S3Error(.notImplemented, "Only access control lists that equal a canned one are supported.")
        }
        return list
    }
}
