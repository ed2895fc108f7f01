import Foundation
import NIOPosix
import Synchronization

/// One line of JSON for each request, in a stream of its own. Never holds a request up: lines that the disk does not take
/// in time are dropped and counted.
final class AccessLog: Sendable {
    struct Entry: Sendable {
        var time: Int64
        var id: String
        var remote: String
        var method: String
        var host: String
        /// Without the query: that may hold credentials.
        var path: String
        var operation: String
        var user: String?
        var status: Int
        var received: UInt64
        var sent: UInt64
        var duration: Duration
        var userAgent: String
    }

    private struct Buffer {
        var bytes: [UInt8] = []
        var isWriting = false
        var dropped = 0
    }

    private static let bufferMax = 4 << 20

    private let file: FileHandle
    private let buffer = Mutex(Buffer())
    private let thread: NIOThreadPool

    /// - Parameter destination: A file's path, or `-` for standard output; nil is returned for `off`.
    init?(destination: String) throws {
        guard destination != "off" else { return nil }
        if destination == "-" {
            file = .standardOutput
        } else {
            let descriptor = open(destination, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
            guard descriptor >= 0 else {
                throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO, userInfo: [NSFilePathErrorKey: destination])
            }
            file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        }
        thread = NIOThreadPool(numberOfThreads: 1)
        thread.start()
    }

    func append(_ entry: Entry) {
        let line = Array(entry.json.utf8)
        let starts = buffer.withLock { buffer in
            guard buffer.bytes.count + line.count <= Self.bufferMax else {
                buffer.dropped += 1
                return false
            }
            buffer.bytes += line
            defer { buffer.isWriting = true }
            return !buffer.isWriting
        }
        if starts { thread.submit { [self] _ in drain() } }
    }

    /// Writes what is left.
    func close() async {
        try? await thread.shutdownGracefully()
        drain()
    }

    private func drain() {
        while true {
            let bytes = buffer.withLock { buffer in
                let bytes = buffer.bytes
                buffer.bytes = []
                if bytes.isEmpty { buffer.isWriting = false }
                return bytes
            }
            guard !bytes.isEmpty else { return }
            try? file.write(contentsOf: Data(bytes))
        }
    }
}

extension AccessLog.Entry {
    /// Keys are part of the interface: never rename them.
    var json: String {
        var text = "{\"time\":\(time),\"request\":\"\(id)\",\"remote\":\(quoted(remote)),\"method\":\(quoted(method))"
        text += ",\"host\":\(quoted(host)),\"path\":\(quoted(path)),\"operation\":\(quoted(operation))"
        text += ",\"user\":\(user.map(quoted) ?? "null"),\"status\":\(status),\"received\":\(received),\"sent\":\(sent)"
        text += ",\"microseconds\":\(Int64(duration / .microseconds(1))),\"agent\":\(quoted(userAgent))}\n"
        return text
    }

    private func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
