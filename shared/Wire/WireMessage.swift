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
    /// The packed message.
    public func encoded() -> [UInt8] {
        let arena = Arena()
        let message = write(to: arena).assumingMemoryBound(to: ProtobufCMessage.self)
        let size = protobuf_c_message_get_packed_size(message)
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = size == 0 ? 0 : protobuf_c_message_pack(message, buffer.baseAddress)
        }
    }

    /// Appends the packed message and returns its length.
    @discardableResult
    public func encode(into buffer: inout ByteBuffer) -> Int {
        let arena = Arena()
        let message = write(to: arena).assumingMemoryBound(to: ProtobufCMessage.self)
        let size = protobuf_c_message_get_packed_size(message)
        guard size > 0 else { return 0 }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) {
            protobuf_c_message_pack(message, $0.baseAddress!.assumingMemoryBound(to: UInt8.self))
        }
        return size
    }

    /// Unpacks; throws ``MalformedMessage`` when the bytes are no such message.
    public init(decoding bytes: UnsafeRawBufferPointer) throws {
        let arena = Arena(limit: max(1 << 20, bytes.count.multipliedReportingOverflow(by: 64).partialValue))
        var allocator = ProtobufCAllocator(
            alloc: { context, size in Unmanaged<Arena>.fromOpaque(context!).takeUnretainedValue().allocate(bytes: size)
            },
            free: { _, _ in },
            allocator_data: Unmanaged.passUnretained(arena).toOpaque())
        let unpacked = withExtendedLifetime(arena) {
            protobuf_c_message_unpack(
                Self.descriptor, &allocator, bytes.count, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        }
        guard let unpacked else { throw MalformedMessage(type: "\(Self.self)") }
        self.init(reading: UnsafeRawPointer(unpacked))
        withExtendedLifetime(arena) {}
    }

    public init(decoding bytes: [UInt8]) throws {
        self = try bytes.withUnsafeBytes { try Self(decoding: $0) }
    }

    public init(decoding buffer: ByteBuffer) throws {
        self = try buffer.withUnsafeReadableBytes { try Self(decoding: $0) }
    }
}
