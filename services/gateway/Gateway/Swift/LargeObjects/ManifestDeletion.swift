import Model
import ObjectAccess
import S3Protocol
import Wire

/// `DELETE ?multipart-manifest=delete`: a static large object with what it is made of.
extension SwiftOperations {
    private static let leftAtOnce = 16

    /// Segments first, then the manifest: what is left after a failure can be deleted the same way again.
    func deleteManifest(_ call: SwiftCall) async throws -> S3Response {
        let format = try ListingFormat(call.request)
        var lines = SegmentLines()
        do {
            try await lines.add(try await staticManifest(call), try segmented(call))
        } catch {
            let error = SwiftError(error)
            guard error.status < 500 else { throw error }
            var report = Self.deleteReport
            if error.status == 404 { report.notFound = 1 }
            report.fail(error)
            return report.response(format, root: "delete")
        }
        return await .patient(type: format.contentType) { [lines] in
            var report = Self.deleteReport
            await self.delete(lines.inOrder, call, &report)
            if report.errors.isEmpty {
                await self.delete([SegmentLines.line(call.containerName ?? "", call.objectName)], call, &report)
            }
            return report.encoded(format, root: "delete")
        }
    }

    private func staticManifest(_ call: SwiftCall) async throws -> SegmentManifest {
        let name = try shared(call, try call.requiredContainer(), key: call.object ?? []).object
        let snapshot = try await storage.read(name, withBlob: true, context: call.context)
        guard let object = try ObjectRecord(snapshot) else { throw SwiftError(404, "SLO manifest not found") }
        guard object.manifestSize > 0 else { throw SwiftError(400, "Not an SLO manifest") }
        return try await segmented(call).manifest(of: object, beside: snapshot.blob)
    }

    // MARK: - &async=yes

    /// Leaves the segments to the lifecycle task of repair, as objects whose time has come. The manifest is the caller's to
    /// delete.
    func leaveSegments(_ call: SwiftCall) async throws {
        let segments = try await staticManifest(call).segments.filter { !$0.container.isEmpty }
        let containers = Set(segments.map(\.container))
        guard let name = containers.first else { return }
        guard containers.count == 1 else {
            let named = containers.sorted().map { "\"\(PercentEncoding.encode($0))\"" }.joined(separator: ", ")
            throw SwiftError(400, "All segments must be in one container. Found segments in \(named)")
        }
        guard !segments.contains(where: \.nested) else { throw SwiftError(400, "No segments may be large objects.") }
        var one = call
        (one.containerName, one.container) = (name, await container(name, of: try call.requiredProject()))
        try check(.writeObject, one)
        guard let container = one.container else { return }
        let keys = Set(segments.map { Array($0.object.utf8) })
        try await withThrowingTaskGroup(of: Void.self) { [one] group in
            for (index, key) in keys.enumerated() {
                if index >= Self.leftAtOnce { try await group.next() }
                group.addTask { try await self.leave(key, in: container, one) }
            }
            try await group.waitForAll()
        }
        if let id = container.bucketID { usage.forget(id) }
    }

    /// The object is gone for clients at once. Its content goes when the lifecycle task comes by.
    private func leave(_ key: [UInt8], in container: BucketRecord, _ call: SwiftCall) async throws {
        let target = try shared(call, container, key: key)
        let now = clock()
        try await s3.noteExpiry(of: ObjectRecord(deleteAtSeconds: now / 1000), target)
        do {
            _ = try await s3.changeObject(target) { object in
                try ObjectLock.checkRemoval(of: object, bypass: false, nowMilliseconds: now)
                object.deleteAtSeconds = now / 1000
            }
        } catch let error as S3Error where error.code == .noSuchKey {
            // Somebody was faster.
        }
    }
}

/// The objects that a static large object is made of, each once, as a bulk delete names them.
struct SegmentLines {
    private(set) var inOrder: [String] = []
    private var known: Set<String> = []

    static func line(_ container: String, _ object: String) -> String {
        "/" + PercentEncoding.encode(container) + "/" + PercentEncoding.encode(object)
    }

    /// Manifests after what they name. Each object is looked at once, however often it is named.
    mutating func add(_ manifest: SegmentManifest, _ segmented: SegmentedContent, depth: Int = 1) async throws {
        guard depth <= SegmentedContent.depthMax else { throw SwiftError(400, "Max recursion depth reached") }
        for segment in manifest.segments where !segment.container.isEmpty {
            let line = Self.line(segment.container, segment.object)
            guard known.insert(line).inserted else { continue }
            guard known.count <= SwiftOperations.bulkDeletesMax else {
                throw SwiftError(400, "Too many buffered slo segments to delete.")
            }
            if segment.nested, let inner = try await segmented.manifest(of: segment) {
                try await add(inner, segmented, depth: depth + 1)
            }
            inOrder.append(line)
        }
    }
}
