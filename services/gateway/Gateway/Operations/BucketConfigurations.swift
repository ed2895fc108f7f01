import Model
import NIOCore
import ObjectAccess
import S3Protocol
import Wire

/// A configuration that a bucket has as one document: put, read back as it was put, and deleted.
struct BucketConfiguration: Sendable {
    /// What a bucket without the configuration answers.
    enum Absence: Sendable {
        case error(S3ErrorCode)
        /// A document with nothing in it but these elements.
        case document(StaticString, [(String, String)] = [])
    }

    /// Checks what a client put. Throws what the client is told; returns what is to be stored, usually the same bytes,
    /// or nil: the bucket is to have no such configuration.
    typealias Validation = @Sendable ([UInt8], S3Call, S3Operations) async throws -> [UInt8]?

    /// The S3 sub-resource, which is also the name of the document in the bucket's record.
    let name: String
    let absence: Absence
    var contentType = "application/xml"
    var putStatus = 200
    let validate: Validation
}

extension S3Operations {
    static func get(_ configuration: BucketConfiguration) -> Operation {
        { _ in
            { call in
                guard let document = call.bucket.document(configuration.name) else {
                    return try configuration.absence.response(call.bucket)
                }
                var response = S3Response.xml(document)
                response.headers.replaceOrAdd(name: "Content-Type", value: configuration.contentType)
                return response
            }
        }
    }

    static func put(_ configuration: BucketConfiguration) -> Operation {
        { operations in
            { call in
                let body = try await call.request.body.collect(upTo: Limits.xmlBodySizeMax)
                let content = try await configuration.validate(Array(body.readableBytesView), call, operations)
                try await operations.set([.init(name: configuration.name, content: content ?? [])], call)
                return S3Response(status: .init(statusCode: configuration.putStatus))
            }
        }
    }

    static func delete(_ configuration: BucketConfiguration) -> Operation {
        { operations in
            { call in
                if call.bucket.document(configuration.name) != nil {
                    try await operations.set([.init(name: configuration.name)], call)
                }
                return S3Response(status: .noContent)
            }
        }
    }

    /// Changes configurations of the bucket, all or none. One without content is removed.
    func set(_ documents: [BucketDocument], _ call: S3Call) async throws {
        guard documents.allSatisfy({ $0.content.count <= Limits.bucketDocumentSizeMax }) else {
            throw S3Error(
                .maxMessageLengthExceeded, "A configuration has up to \(Limits.bucketDocumentSizeMax) bytes.")
        }
        let reply = try await buckets.change(
            ChangeBucketRequest(
                change: .bucketSetDocuments, name: call.bucket.name, owner: call.bucket.owner, id: call.bucket.id,
                documents: documents), context: call.context)
        try Self.check(reply)
    }

    /// Throws unless the bucket was changed.
    static func check(_ reply: ChangeBucketReply) throws {
        switch reply.outcome {
        case .bucketChanged: break
        case .bucketBusy: throw S3Error(.operationAborted, "The bucket is being deleted.")
        default: throw S3Error(.noSuchBucket)
        }
    }
}

extension BucketConfiguration.Absence {
    fileprivate func response(_ bucket: BucketRecord) throws -> S3Response {
        switch self {
        case .error(let code): throw S3Error(code, fields: [.init("BucketName", bucket.name)])
        case .document(let name, let elements):
            var writer = XMLWriter()
            writer.element(name, namespace: XMLWriter.s3Namespace) { root in
                for (name, value) in elements { root.element(name, value) }
            }
            return .xml(writer.bytes)
        }
    }
}
