import Model
import NIOCore
import S3Protocol
import Wire

/// An object as those who read it by S3 see it.
struct WholeObject: Sendable {
    /// With size and entity tag of the whole.
    var record: ObjectRecord
    /// The objects that a dynamic large object of Swift stands for now; nil: it is none.
    var segments: [ManifestSegment]?

    /// Its content is that of other objects.
    var isLarge: Bool { segments != nil || record.manifestSize > 0 }
}

/// Large objects of Swift as S3 sees them: one object with the whole content.
extension S3Operations {
    /// A dynamic large object is looked up: what it is made of, and so its size, is only known when it is read.
    func wholeObject(_ object: ObjectRecord, _ call: S3Call) async throws -> WholeObject {
        guard !object.objectManifest.isEmpty else { return WholeObject(record: object) }
        let segments = try await largeObject { try await segmented(call).dynamicSegments(object.objectManifest) }
        guard let size = ManifestSegment.size(of: segments) else { throw S3Error(.entityTooLarge) }
        var whole = WholeObject(record: object, segments: segments)
        (whole.record.size, whole.record.etag) = (size, ManifestSegment.etag(of: segments))
        // What is known of the marker's own bytes is not true of the whole.
        (whole.record.checksums, whole.record.parts) = ([], [])
        return whole
    }

    /// Content of an object as clients see it. Throws `AccessDenied` unless the request may also read what the object is made
    /// of.
    func wholeContent(
        of whole: WholeObject, _ encryption: ContentEncryption?, range: Range<UInt64>, beside blob: ByteBuffer?,
        _ call: S3Call
    ) async throws -> any ContentReading {
        guard whole.isLarge else {
            return try content(of: whole.record, encryption, range: range, beside: blob, context: call.context)
        }
        return try await largeObject {
            let segmented = segmented(call)
            let segments =
                if let found = whole.segments { found } else {
                    try await segmented.manifest(of: whole.record, beside: blob).segments
                }
            let source = try segmented.source(segments, range: range)
            try await source.prepare()
            return source
        }
    }

    private func largeObject<Value>(_ body: () async throws -> Value) async throws -> Value {
        do { return try await body() } catch let error as SwiftError {
            throw S3Error(
                .operationAborted, error.message ?? "A segment of this large object has gone or was changed.")
        }
    }

    private func segmented(_ call: S3Call) -> SegmentedContent {
        SegmentedContent(s3: self, context: call.context, project: call.bucket.project) { bucket, key, object in
            try self.authorizeSegment(bucket, key, object, call)
        }
    }

    private func authorizeSegment(
        _ bucket: BucketRecord, _ key: [UInt8], _ object: ObjectRecord?, _ call: S3Call
    ) throws {
        guard let id = bucket.bucketID else { throw S3Error(.internalError) }
        let reader = try readingCall(call, bucket, id, RegisterName(bucket: id, key: key), versionID: nil)
        // To be told what there is, and what has gone, takes the right to list.
        guard let object else {
            guard reader.allows(.listBucket) else { throw S3Error(.accessDenied) }
            return
        }
        try reader.authorize(reader.readAction, object)
    }
}

// MARK: - Entity tags

extension ObjectRecord {
    /// The entity tag as S3 shows it.
    var shownETag: String { ETag.shown(etag, isLarge: manifestSize > 0 || !objectManifest.isEmpty) }
}

extension ListingSummary {
    /// The entity tag as S3 shows it.
    var shownETag: String { ETag.shown(etag, isLarge: manifest) }
}

extension ETag {
    /// Clients of S3 take a tag without a dash for the MD5 of the content, and refuse what differs. That of a large object of
    /// Swift is another MD5; Swift's own S3 front marks it the same way.
    fileprivate static func shown(_ etag: String, isLarge: Bool) -> String { isLarge ? etag + "-N" : etag }
}
