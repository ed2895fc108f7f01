import NIOCore
import Testing

@testable import Gateway

@Suite("Answers that come while their work goes on")
struct HeartbeatTests {
    /// Work that ends when it is told to.
    private struct Work {
        let signals: AsyncStream<String>
        let end: AsyncStream<String>.Continuation

        init() { (signals, end) = AsyncStream.makeStream() }

        func run() async -> [UInt8] {
            for await text in signals { return Array(text.utf8) }
            return []
        }
    }

    private func producer(_ response: S3Response) throws -> S3Response.Producer {
        guard case .open(let producer) = response.body else { throw SwiftError(500) }
        return producer
    }

    @Test("202 at once, spaces while the work goes on, then what it has come to, and that is all")
    func heartbeat() async throws {
        let work = Work()
        let response = S3Response.heartbeat(type: "text/plain", every: .milliseconds(1)) { await work.run() }
        #expect(response.status == .accepted && response.headers["Content-Type"] == ["text/plain"])
        let next = try producer(response)
        for _ in 0..<3 { #expect(try await next() == ByteBuffer(string: " ")) }
        work.end.yield("done")
        var rest = try await next()
        while rest == ByteBuffer(string: " ") { rest = try await next() }
        #expect(rest == ByteBuffer(string: "\r\n\r\ndone"))
        #expect(try await next() == nil)
    }

    @Test("Work that is done before the first beat has no spaces before its outcome")
    func quickHeartbeat() async throws {
        let next = try producer(.heartbeat(type: "text/plain", every: .seconds(60)) { Array("done".utf8) })
        #expect(try await next() == ByteBuffer(string: "done"))
        #expect(try await next() == nil)
    }

    @Test("What is done soon is answered in one piece; what takes long begins with a space")
    func patience() async throws {
        let soon = await S3Response.patient(type: "text/plain", every: .seconds(60)) { Array("done".utf8) }
        guard case .bytes(let bytes) = soon.body else { throw SwiftError(500) }
        #expect(soon.status == .ok && bytes == ByteBuffer(string: "done"))
        let work = Work()
        let late = await S3Response.patient(type: "text/plain", every: .milliseconds(1)) { await work.run() }
        #expect(late.status == .ok)
        let next = try producer(late)
        #expect(try await next() == ByteBuffer(string: " "))
        work.end.yield("done")
        var rest = try await next()
        while rest == ByteBuffer(string: " ") { rest = try await next() }
        #expect(rest == ByteBuffer(string: "\r\n\r\ndone"))
    }
}
