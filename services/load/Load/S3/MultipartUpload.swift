import NIOCore
import NIOHTTP1
import S3Protocol

/// One object written in parts, one after the other. Belongs to the client's event loop.
struct MultipartUpload {
    static let partSizeMin = 5 << 20

    let client: S3Client
    /// Percent-encoded.
    let path: String
    let content: ObjectContent
    let partSize: Int

    /// The parts' ranges; an empty object has one empty part.
    static func parts(of size: Int, partSize: Int) -> [Range<Int>] {
        guard size > 0 else { return [0..<0] }
        return stride(from: 0, to: size, by: partSize).map { $0..<min($0 + partSize, size) }
    }

    static func completion(_ etags: [String]) -> String {
        let parts = etags.enumerated().map { index, etag in
            "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(etag)</ETag></Part>"
        }
        return "<CompleteMultipartUpload>\(parts.joined())</CompleteMultipartUpload>"
    }

    /// The answer that decides: of the completion, or the first that refuses. An upload that fails is aborted.
    func run(isolation: isolated (any Actor)? = #isolation) async throws -> S3Answer {
        let begun = try await client.send(
            S3Request(.POST, path: path, query: "uploads", version: content.version, wanted: .text)
        ).get()
        guard begun.status == 200 else { return begun }
        guard let id = begun.text.firstMatch(of: /<UploadId>([^<]+)<\/UploadId>/).map({ String($0.1) }) else {
            return begun.refused("no upload id")
        }
        do {
            let answer = try await send(id: PercentEncoding.encode(id))
            if answer.status != 200 { await abort(id) }
            return answer
        } catch {
            await abort(id)
            throw error
        }
    }

    private func send(id: String, isolation: isolated (any Actor)? = #isolation) async throws -> S3Answer {
        var etags: [String] = []
        for (index, range) in Self.parts(of: content.size, partSize: partSize).enumerated() {
            let part = try await client.send(
                S3Request(
                    .PUT, path: path, query: "partNumber=\(index + 1)&uploadId=\(id)", body: .content(content, range),
                    wanted: .text)
            ).get()
            guard part.status == 200 else { return part }
            guard let etag = part.headers.first(name: "etag") else { return part.refused("a part without an ETag") }
            etags.append(etag)
        }
        var answer = try await client.send(
            S3Request(
                .POST, path: path, query: "uploadId=\(id)", body: .document(Self.completion(etags)), wanted: .text)
        ).get()
        // The status may be sent before the result is known.
        if answer.status == 200, !answer.text.contains("</CompleteMultipartUploadResult>") { answer.status = 500 }
        return answer
    }

    /// Whatever comes of it: what is left of an upload is cleared away by its bucket's rules.
    private func abort(_ id: String, isolation: isolated (any Actor)? = #isolation) async {
        let query = "uploadId=\(PercentEncoding.encode(id))"
        _ = try? await client.send(S3Request(.DELETE, path: path, query: query)).get()
    }
}

extension S3Answer {
    fileprivate func refused(_ fault: String) -> S3Answer {
        var answer = self
        answer.fault = fault
        return answer
    }
}
