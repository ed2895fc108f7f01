import Model
import NIOCore
import NIOHTTP1
import S3Protocol
import Wire

/// What a bulk request has done so far, and how it is told.
struct BulkReport: Sendable {
    var done = 0
    var notFound = 0
    var errors: [(path: String, status: String)] = []

    /// - Parameter counted: what `done` counts, such as `Number Deleted`.
    func response(_ request: SwiftRequest, counted: String, isDelete: Bool, failure: (status: String, text: String)?)
        -> S3Response
    {
        var status = failure?.status ?? (isDelete ? "200 OK" : "201 Created")
        if failure == nil, !errors.isEmpty { status = "400 Bad Request" }
        if failure == nil, isDelete, errors.isEmpty, done == 0, notFound == 0 { status = "400 Bad Request" }
        let body = failure?.text ?? (status.hasPrefix("400") && errors.isEmpty ? "Invalid bulk delete." : "")
        let format = (request.header("accept") ?? "").lowercased()
        if format.contains("json") {
            var members: [String: JSON] = [
                counted: .number(Int64(done)), "Response Status": .text(status), "Response Body": .text(body),
                "Errors": .list(errors.map { [.text($0.path), .text($0.status)] }),
            ]
            if isDelete { members["Number Not Found"] = .number(Int64(notFound)) }
            return .json(.object(members), type: "application/json; charset=utf-8")
        }
        var lines = ["\(counted): \(done)"]
        if isDelete { lines.append("Number Not Found: \(notFound)") }
        lines += ["Response Body: \(body)", "Response Status: \(status)", "Errors:"]
        lines += errors.map { "\($0.path), \($0.status)" }
        return .text(lines.joined(separator: "\n"))
    }
}

/// `POST ?bulk-delete`.
extension SwiftOperations {
    static let bulkDeletesMax = 10_000
    private static let bulkBytesMax = bulkDeletesMax * 3 * (Limits.keySizeMax + 260)
    private static let deletesAtOnce = 16

    /// Always 200: what happened is in the body.
    func bulkDelete(_ call: SwiftCall) async throws -> S3Response {
        let counted = "Number Deleted"
        let body = try await call.request.body.collect(upTo: Self.bulkBytesMax)
        let lines = body.readableBytesView.split(separator: UInt8(ascii: "\n"))
            .map { String(decoding: $0, as: UTF8.self) }.filter { !$0.allSatisfy(\.isWhitespace) }
        var report = BulkReport()
        guard lines.count <= Self.bulkDeletesMax else {
            return report.response(
                call.request, counted: counted, isDelete: true,
                failure: ("413 Request Entity Too Large", "Maximum Bulk Deletes: \(Self.bulkDeletesMax) per request"))
        }
        await withTaskGroup(of: (String, SwiftError?).self) { group in
            var waiting = lines.makeIterator()
            func start() {
                guard let line = waiting.next() else { return }
                group.addTask { (line, await self.deleteNamed(line, call)) }
            }
            for _ in 0..<Self.deletesAtOnce { start() }
            for await (line, error) in group {
                start()
                switch error?.status {
                case nil: report.done += 1
                case 404?: report.notFound += 1
                case let status?: report.errors.append((line, "\(status) \(SwiftError.reason(status))"))
                }
            }
        }
        report.errors.sort { $0.path < $1.path }
        return report.response(call.request, counted: counted, isDelete: true, failure: nil)
    }

    /// Deletes the object or the empty container that a line names. nil: done.
    private func deleteNamed(_ line: String, _ call: SwiftCall) async -> SwiftError? {
        do {
            let text = line.filter { $0 != "\r" }
            guard let decoded = PercentEncoding.decode(text), !decoded.utf8.contains(0) else {
                throw SwiftError.invalidName
            }
            let parts = SwiftTarget.parts(Array((decoded.hasPrefix("/") ? decoded : "/" + decoded).utf8), atMost: 2)
            guard let first = parts.first, !first.isEmpty else { throw SwiftError.notFound }
            var one = call
            let name = String(decoding: first, as: UTF8.self)
            one.containerName = name
            one.object = parts.count > 1 && !parts[1].isEmpty ? parts[1] : nil
            one.container = nil
            if let project = call.project { one.container = await container(name, of: project) }
            try check(one.object == nil ? .changeContainer : .writeObject, one)
            let found = try one.requiredContainer()
            if let object = one.object {
                try Self.checkObjectName(object)
                try await delete(object, in: found, one)
            } else {
                _ = try await deleteContainer(one)
            }
            return nil
        } catch {
            return SwiftError(error)
        }
    }
}
