@_exported import CMartletWire
import NIOCore

/// A protobuf message as a Swift value. Packed and unpacked by libprotobuf-c; the conversions are generated.
public protocol WireMessage: Sendable {
    static var descriptor: UnsafePointer<ProtobufCMessageDescriptor> { get }
    /// Copies a C structure of this message's type.
    init(reading pointer: UnsafeRawPointer)
    /// Makes a C structure of this message's type in the arena.
    func write(to arena: Arena) -> UnsafeMutableRawPointer
}

/// The bytes are not a message of the expected type.
public struct MalformedMessage: Error, CustomStringConvertible {
    public let type: String
    public var description: String { "malformed \(type)" }
}

extension WireMessage {
    /// Memory for packing a message of our own making.
    private static var packingLimit: Int { 256 << 20 }

    /// The packed message.
    public func encoded() -> [UInt8] {
        withArena(limit: Self.packingLimit) { arena in
            let message = write(to: arena).assumingMemoryBound(to: ProtobufCMessage.self)
            let size = protobuf_c_message_get_packed_size(message)
            return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                count = size == 0 ? 0 : protobuf_c_message_pack(message, buffer.baseAddress)
            }
        }
    }

    /// Appends the packed message and returns its length.
    @discardableResult
    public func encode(into buffer: inout ByteBuffer) -> Int {
        withArena(limit: Self.packingLimit) { arena in
            let message = write(to: arena).assumingMemoryBound(to: ProtobufCMessage.self)
            let size = protobuf_c_message_get_packed_size(message)
            guard size > 0 else { return 0 }
            return buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) {
                protobuf_c_message_pack(message, $0.baseAddress!.assumingMemoryBound(to: UInt8.self))
            }
        }
    }

    /// Unpacks; throws ``MalformedMessage`` when the bytes are no such message, or would take more memory than the limit
    /// (by default 64 times their size, and at least 1 MiB).
    public init(decoding bytes: UnsafeRawBufferPointer, memoryLimit: Int? = nil) throws {
        let (scaled, overflow) = bytes.count.multipliedReportingOverflow(by: 64)
        let limit = memoryLimit ?? max(1 << 20, overflow ? .max : scaled)
        self = try withArena(limit: limit) { arena in
            guard let unpacked = Self.unpack(bytes, arena) else { throw MalformedMessage(type: "\(Self.self)") }
            return Self(reading: unpacked)
        }
    }

    private static func unpack(_ bytes: UnsafeRawBufferPointer, _ arena: Arena) -> UnsafeRawPointer? {
        var allocator = ProtobufCAllocator(
            alloc: { context, size in Unmanaged<Arena>.fromOpaque(context!).takeUnretainedValue().allocate(bytes: size)
            },
            free: { _, _ in },
            allocator_data: Unmanaged.passUnretained(arena).toOpaque())
        return UnsafeRawPointer(
            protobuf_c_message_unpack(
                descriptor, &allocator, bytes.count, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)))
    }

    public init(decoding bytes: [UInt8], memoryLimit: Int? = nil) throws {
        self = try bytes.withUnsafeBytes { try Self(decoding: $0, memoryLimit: memoryLimit) }
    }

    public init(decoding buffer: ByteBuffer, memoryLimit: Int? = nil) throws {
        self = try buffer.withUnsafeReadableBytes { try Self(decoding: $0, memoryLimit: memoryLimit) }
    }
}
