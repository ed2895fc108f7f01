import Model
import NIOCore
import NIOHTTP1
import S3Protocol
import Wire

/// `PUT ?extract-archive=…`: an archive becomes objects.
extension SwiftOperations {
    static let archiveContainersMax = 10_000
    static let failedExtractionsMax = 1000

    /// Always 200 once the archive is being read: what happened is in the body.
    func bulkUpload(_ call: SwiftCall) async throws -> S3Response {
        let request = call.request
        guard call.caller.credentials != nil else { throw SwiftAuthorization.unauthorized(call.account) }
        _ = try call.requiredProject()
        let format = try ListingFormat(request)
        guard request.header("content-length") != nil || request.header("transfer-encoding") != nil else {
            throw SwiftError(411, "Missing Content-Length header.")
        }
        let kind = request.query["extract-archive"] ?? ""
        guard let reader = ArchiveReader(format: kind.isEmpty ? "tar" : kind.lowercased(), request.body) else {
            throw SwiftError(400, "Unsupported archive format")
        }
        var upload = ArchiveUpload(call)
        do {
            while let entry = try await reader.nextEntry() {
                try await store(entry, reader, &upload)
                guard upload.report.errors.count < Self.failedExtractionsMax else {
                    throw SwiftError(400, "Too many errors while extracting.")
                }
            }
            upload.finish()
        } catch {
            upload.report.fail(
                reader.fault.map { SwiftError(400, "Invalid Tar File: \($0)") } ?? SwiftError(error))
        }
        return upload.report.response(format, root: "bulk_upload")
    }

    private func store(_ entry: TarParser.Entry, _ reader: ArchiveReader, _ upload: inout ArchiveUpload) async throws {
        guard entry.isFile, let path = upload.path(of: entry) else { return }
        do {
            guard String(validating: path.container + path.object, as: UTF8.self) != nil,
                !path.container.contains(0), !path.object.contains(0)
            else { throw SwiftError.invalidName }
            guard entry.size <= Self.fileSizeMax else { throw SwiftError(413) }
            var one = upload.call
            one.operation = .putObject
            one.object = path.object
            one.containerName = String(decoding: path.container, as: UTF8.self)
            one.request.headers = try upload.headers(of: entry)
            try Self.checkObjectName(path.object)
            one.container = try await madeContainer(one, &upload)
            try check(.writeObject, one)
            try await store(entry, reader, as: one)
            upload.report.done += 1
        } catch {
            // An archive that cannot be read on, and a client that has gone, end it all.
            let answer = SwiftError(error)
            if reader.fault != nil || answer.status == 499 || answer.status == 408 { throw error }
            upload.fail(path, answer)
        }
    }

    private func store(_ entry: TarParser.Entry, _ reader: ArchiveReader, as call: SwiftCall) async throws {
        let container = try call.requiredContainer()
        try await checkQuotas(call, container, adding: entry.size)
        var plan = BodyPlan(declaredLength: entry.size)
        plan.computesMD5 = true
        let body = RequestBody(plan, source: ArchiveContent(reader: reader), budget: nil)
        var record = try newObject(call)
        try await write(body, as: &record, call, container, condition: .none)
    }

    /// The container that the call names, made when there is none and the caller may make it.
    private func madeContainer(_ call: SwiftCall, _ upload: inout ArchiveUpload) async throws -> BucketRecord {
        let name = call.containerName ?? ""
        try Self.checkContainerName(name)
        let project = try call.requiredProject()
        if let present = await container(name, of: project) { return present }
        if let error = upload.containerFaults[name] { throw error }
        do {
            guard upload.made < Self.archiveContainersMax else {
                throw SwiftError(400, "More than \(Self.archiveContainersMax) containers to create from tar.")
            }
            try check(.changeContainer, call)
            var one = call
            one.operation = .putContainer
            one.request.headers = HTTPHeaders()
            _ = try await putContainer(one)
            upload.made += 1
        } catch {
            let error = SwiftError(error)
            upload.containerFaults[name] = error
            throw error
        }
        guard let made = await container(name, of: project) else { throw SwiftError(503) }
        return made
    }
}

/// What an archive has come to so far.
struct ArchiveUpload {
    let call: SwiftCall
    var report = BulkReport(counted: "Number Files Created", status: "201 Created")
    var made = 0
    /// Containers that could not be made are not tried again for each of their objects.
    var containerFaults: [String: SwiftError] = [:]
    private var hasServerFault = false

    init(_ call: SwiftCall) { self.call = call }

    /// Where an entry goes; nil: nowhere, for it has no container.
    func path(of entry: TarParser.Entry) -> (container: [UInt8], object: [UInt8])? {
        var name = entry.name[...]
        if name.starts(with: "./".utf8) { name = name.dropFirst(2) }
        name = name.drop { $0 == UInt8(ascii: "/") }
        var base = Array((call.containerName ?? "").utf8)
        if let object = call.object { base += [UInt8(ascii: "/")] + object }
        while base.last == UInt8(ascii: "/") { base.removeLast() }
        let whole = base.isEmpty ? Array(name) : base + [UInt8(ascii: "/")] + name
        guard let slash = whole.firstIndex(of: UInt8(ascii: "/")), slash > 0, slash + 1 < whole.count else {
            return nil
        }
        return (Array(whole[..<slash]), Array(whole[(slash + 1)...]))
    }

    /// Headers of the object that an entry becomes: its extended attributes, and when the request wants all to go.
    func headers(of entry: TarParser.Entry) throws(SwiftError) -> HTTPHeaders {
        var headers = HTTPHeaders()
        for name in ["x-delete-at", "x-delete-after"] {
            if let value = call.request.header(name) { headers.add(name: name, value: value) }
        }
        for (name, value) in entry.attributes.sorted(by: { $0.key < $1.key }) {
            let header: String
            if name == "SCHILY.xattr.user.mime_type" {
                header = "Content-Type"
            } else if name.hasPrefix("SCHILY.xattr.user.meta.") {
                header = SwiftObjects.metadataPrefix + name.dropFirst("SCHILY.xattr.user.meta.".count)
            } else {
                continue
            }
            guard !value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }),
                header.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") })
            else { throw SwiftError(400) }
            headers.add(name: header, value: value)
        }
        return headers
    }

    mutating func fail(_ path: (container: [UInt8], object: [UInt8]), _ error: SwiftError) {
        let name = String(decoding: path.container, as: UTF8.self) + "/" + String(decoding: path.object, as: UTF8.self)
        report.errors.append((PercentEncoding.encode(name), SwiftError.line(error.status)))
        if error.status >= 500 { hasServerFault = true }
    }

    mutating func finish() {
        if !report.errors.isEmpty {
            report.fail(SwiftError(hasServerFault ? 502 : 400))
        } else if report.done == 0 {
            report.fail(SwiftError(400, "Invalid Tar File: No Valid Files"))
        }
    }
}
