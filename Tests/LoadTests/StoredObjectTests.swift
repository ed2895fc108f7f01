import ArgumentParser
import NIOCore
import ObjectAccess
import Testing
import Wire

@testable import Load

@Suite("Objects as the bus stores them")
struct StoredObjectTests {
    private func content(size: Int) -> ObjectContent {
        ObjectContent(key: "k", version: ObjectVersion(run: "r", client: 1, number: 2, size: size))
    }

    @Test("What is made is what is expected back, with the entity tag of its bytes", arguments: [0, 1, 4096, 1 << 20])
    func whole(size: Int) throws {
        let (record, staged) = StoredObject.make(content(size: size), owner: "u", milliseconds: 5)
        #expect((staged == nil) == (size == 0))
        #expect(record.etag.utf8.count == 32 && record.owner == "u" && record.size == UInt64(size))
        if size == 0 { #expect(record.etag == "d41d8cd98f00b204e9800998ecf8427e") }
        let read = try ObjectRecord(stored: record.stored)
        #expect(read.stored.blobs == staged.map { [$0.id] } ?? [])
        let bytes = staged?.bytes ?? ByteBuffer()
        #expect(
            StoredObject.judge(read, bytes, key: "k", withContent: true)
                == .done(bytes: size, version: content(size: size).version))
        #expect(
            StoredObject.judge(read, ByteBuffer(), key: "k", withContent: false)
                == .done(bytes: 0, version: content(size: size).version))
    }

    @Test("Changed or cut bytes, other keys and objects of others are wrong; content in chunks is not read")
    func faults() throws {
        var (record, staged) = StoredObject.make(content(size: 100), owner: "u", milliseconds: 5)
        var bytes = try #require(staged).bytes
        func isWrong(_ bytes: ByteBuffer, key: String = "k") -> Bool {
            if case .wrong = StoredObject.judge(record, bytes, key: key, withContent: true) { true } else { false }
        }
        #expect(!isWrong(bytes))
        #expect(isWrong(bytes, key: "other"))
        #expect(isWrong(bytes.getSlice(at: 0, length: 99)!))
        bytes.setInteger(UInt8(bytes.getInteger(at: 50, as: UInt8.self)! ^ 1), at: 50)
        #expect(isWrong(bytes))
        record.metadata = []
        #expect(isWrong(try #require(staged).bytes))
        record.blobs = [BlobReference(id: Array(repeating: 1, count: 16), size: 5 << 20, chunkSize: 1 << 20)]
        guard case .failed(_, mayRetry: false) = StoredObject.judge(record, bytes, key: "k", withContent: true) else {
            Issue.record("chunks were read")
            return
        }
    }
}

@Suite("Command lines")
struct CommandLineTests {
    @Test(
        "What makes no sense is refused before anything happens",
        arguments: [
            "run --mix ping", "run --mix fly", "run --concurrency 0", "run --count 0", "run --part-size 1MiB",
            "run --size 2..1", "run --sign-ahead -1", "run --distribution random", "run --pids 1,x", "run --threads 0",
            "bus --mix multipart", "bus --size 2MiB", "bus --size 4KiB=1,2MiB=1", "replay", "replay f --speed 0",
            "replay f --speed fast", "replay f --size x", "run --rate 0", "run --retries -1", "run --unknown",
        ])
    func refused(line: String) {
        #expect(throws: (any Error).self) { try LoadCommand.parseAsRoot(line.split(separator: " ").map(String.init)) }
    }

    @Test(
        "What the help shows is understood",
        arguments: [LoadCommand.self, RunCommand.self, BusCommand.self, ReplayCommand.self]
            as [any ParsableCommand.Type])
    func examples(command: any ParsableCommand.Type) throws {
        let lines = command.configuration.discussion.split(separator: "\n").map { $0.trimmingPrefix { $0 == " " } }
        let examples = lines.filter { $0.hasPrefix("martlet-load ") }
        #expect(examples.count >= 4)
        for example in examples {
            let arguments = example.split(separator: " ").dropFirst().map(String.init)
            #expect(throws: Never.self, "\(example)") { _ = try LoadCommand.parseAsRoot(arguments) }
        }
    }
}
