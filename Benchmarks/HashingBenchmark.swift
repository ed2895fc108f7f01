import ArgumentParser
import Checksums
import Foundation
import NIOCore

/// What a server of large objects pays for hashing alone, whatever else it does.
struct HashingBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hashing", abstract: "The checksums and digests of large content, as the CPU time of a MiB.",
        discussion: """
            GET: CRC32C of each MiB of files that the system has in memory, with bringing it to where it can be computed: whoever \
            has the kernel send pages (sendfile) looks at no byte. PUT: MD5, SHA-256 and CRC32C of bytes at hand.

            EXAMPLE: martlet-benchmark hashing --size 256 --rounds 4
            """)

    private static let piece = 1 << 20

    @Option(help: "Where to work.") var directory = NSTemporaryDirectory()
    @Option(help: "MiB of content. Caches of the processor should not hold it.") var size = 256
    @Option(help: "How often all of it is hashed.") var rounds = 1
    @Flag(help: "Print one JSON object: milliseconds of CPU a MiB.") var json = false

    func validate() throws {
        guard size > 0, rounds > 0 else { throw ValidationError("--size and --rounds must be positive") }
    }

    func run() throws {
        let folder = try ScratchFolder(below: directory)
        defer { folder.remove() }
        let file = try written(folder.path)
        defer { try? file.close() }
        var memory = ByteBuffer(repeating: 1, count: Self.piece)
        let get = try cost { try checked(file, $0, &memory) }
        let put = try cost { _ in digests(of: memory) }
        if json {
            show(String(format: #"{"get": %.4f, "put": %.4f}"#, get, put))
        } else {
            show(String(format: "GET: %.3f ms of CPU per MiB read and checked (CRC32C)", get))
            show(String(format: "PUT: %.3f ms of CPU per MiB (MD5, SHA-256, CRC32C)", put))
        }
    }

    private func written(_ folder: String) throws -> FileHandle {
        let path = folder + "/content"
        FileManager.default.createFile(atPath: path, contents: nil)
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        for number in 0..<size {
            try file.write(contentsOf: Data(repeating: UInt8(truncatingIfNeeded: number), count: Self.piece))
        }
        return file
    }

    /// Milliseconds of CPU for a MiB.
    private func cost(_ body: (Int) throws -> Void) throws -> Double {
        let before = ProcessAccount.processSeconds
        for _ in 0..<rounds {
            for number in 0..<size { try body(number) }
        }
        return (ProcessAccount.processSeconds - before) / Double(size * rounds) * 1e3
    }

    private func checked(_ file: FileHandle, _ number: Int, _ memory: inout ByteBuffer) throws {
        let count = memory.withUnsafeMutableReadableBytes {
            pread(file.fileDescriptor, $0.baseAddress, Self.piece, number * Self.piece)
        }
        guard count == Self.piece else { throw CocoaError(.fileReadUnknown) }
        blackHole(crc32c(memory))
    }

    private func digests(of memory: ByteBuffer) {
        let (md5, sha256) = (Checksums.Hasher(.md5), Checksums.Hasher(.sha256))
        md5.update(memory)
        sha256.update(memory)
        blackHole(crc32c(memory) &+ UInt32(md5.finish()[0]) &+ UInt32(sha256.finish()[0]))
    }
}

/// Keeps a result from being optimised away.
@inline(never)
private func blackHole(_ value: UInt32) {}
