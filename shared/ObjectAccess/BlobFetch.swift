import Checksums
import MessageBus
import Model
import NIOCore
import Wire

/// Gets the blob beside a register from one of several replicas, the next when one fails or is slow.
///
/// By whatever ring: what is under the id of a blob never changes, and a replica that has it may leave its partition meanwhile.
struct BlobFetch: Sendable {
    let environment: AccessEnvironment
    let name: Model.RegisterName
    let blob: BlobID
    let context: MessageContext

    typealias Completion = @Sendable (Result<ByteBuffer, AccessError>) -> Void

    /// `completion` is called once, on a bus thread or that of a timer.
    func run(from nodes: [NodeName], completion: @escaping Completion) {
        let options = environment.options
        let body = ReadRequest(name: Wire.RegisterName(name), withBlob: true).encoded()
        let request = HedgedFetch<ByteBuffer>.Request(
            type: .read, body: { _ in body }, timeout: options.attemptTimeout, patience: options.slowAfter * 3,
            context: context.at(0))
        HedgedFetch(
            environment, environment.readHedging, request, from: nodes,
            check: { reply, found in found(payload(of: reply)) },
            completion: completion
        ).run()
    }

    func run(from nodes: [NodeName]) async throws(AccessError) -> ByteBuffer {
        let result = await withUnsafeContinuation { continuation in
            run(from: nodes) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// nil: the replica has another blob now, or none.
    private func payload(of reply: BusReply) -> Result<ByteBuffer?, BusError> {
        Result<BusReply, BusError>.success(reply).decoded(as: ReadReply.self).flatMap { message in
            guard BlobID(message.blob) == blob, let bytes = reply.payload.first else { return .success(nil) }
            guard message.blobCrc32c.matches(bytes) else {
                return .failure(BusError(.malformed, "checksum of blob \(blob) from \(reply.sender)"))
            }
            return .success(bytes)
        }
    }
}

extension UInt32 {
    /// Whether this is the CRC32C of the bytes. 0 says nothing: the sender did not tell one.
    func matches(_ bytes: ByteBuffer) -> Bool { self == 0 || self == crc32c(bytes) }
}
