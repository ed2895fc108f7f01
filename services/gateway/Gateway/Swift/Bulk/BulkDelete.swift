import Model
import NIOCore
import NIOHTTP1
import S3Protocol
import Wire

/// `POST ?bulk-delete`.
extension SwiftOperations {
    static let bulkDeletesMax = 10_000
    static let failedDeletesMax = 1000
    private static let bulkBytesMax = bulkDeletesMax * 3 * (Limits.keySizeMax + 260)
    private static let deletesAtOnce = 16

    static var deleteReport: BulkReport { BulkReport(counted: "Number Deleted", notFound: 0, status: "200 OK") }

    /// Always 200: what happened is in the body.
    func bulkDelete(_ call: SwiftCall) async throws -> S3Response {
        let format = try ListingFormat(call.request)
        let body = try await call.request.body.collect(upTo: Self.bulkBytesMax)
        let lines = body.readableBytesView.split(separator: UInt8(ascii: "\n"))
            .map { String(decoding: $0, as: UTF8.self) }.filter { !$0.allSatisfy(\.isWhitespace) }
        var report = Self.deleteReport
        guard lines.count <= Self.bulkDeletesMax else {
            report.fail(SwiftError(413, "Maximum Bulk Deletes: \(Self.bulkDeletesMax) per request"))
            return report.response(format, root: "delete")
        }
        return await .patient(type: format.contentType) { [report] in
            var report = report
            await self.delete(lines, call, &report)
            return report.encoded(format, root: "delete")
        }
    }

    /// Deletes what the lines name, several at a time, until too many could not be.
    func delete(_ lines: [String], _ call: SwiftCall, _ report: inout BulkReport) async {
        await withTaskGroup(of: (String, SwiftError?).self) { group in
            var waiting = lines.makeIterator()
            func start() {
                guard let line = waiting.next() else { return }
                group.addTask { (line, await self.deleteNamed(line, call)) }
            }
            for _ in 0..<Self.deletesAtOnce { start() }
            for await (line, error) in group {
                switch error?.status {
                case nil: report.done += 1
                case 404?: report.notFound = (report.notFound ?? 0) + 1
                case let status?: report.errors.append((line, SwiftError.line(status)))
                }
                if report.errors.count < Self.failedDeletesMax { start() }
            }
        }
        report.errors.sort { $0.path < $1.path }
        if report.errors.count >= Self.failedDeletesMax {
            report.fail(SwiftError(400, "Max delete failures exceeded"))
        } else if !report.errors.isEmpty {
            report.fail(SwiftError(400))
        } else if report.done == 0, report.notFound == 0 {
            report.fail(SwiftError(400, "Invalid bulk delete."))
        }
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
