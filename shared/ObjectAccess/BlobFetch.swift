import Checksums
import MessageBus
import Model
import NIOCore
import Wire

/// Gets the blob beside a register from one of several replicas, one after the other.
struct BlobFetch: Sendable {
    let environment: AccessEnvironment
    let name: Model.RegisterName
    let blob: BlobID
    let context: MessageContext

    typealias Completion = @Sendable (Result<ByteBuffer, AccessError>) -> Void

    /// `completion` is called once, on a bus thread.
    func run(from nodes: [NodeName], completion: @escaping Completion) {
        let body = ReadRequest(name: Wire.RegisterName(name), withBlob: true).encoded()
        attempt(body, environment.health.ordered(nodes)[...], FailureTally(), completion)
    }

    func run(from nodes: [NodeName]) async throws(AccessError) -> ByteBuffer {
        let result = await withUnsafeContinuation { continuation in
            run(from: nodes) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    private func attempt(
        _ body: [UInt8], _ nodes: ArraySlice<NodeName>, _ failures: FailureTally, _ completion: @escaping Completion
    ) {
        guard let node = nodes.first else {
            return completion(.failure(failures.isEmpty ? .absent : failures.error))
        }
        environment.send(
            .read, body: body, to: node, timeout: environment.options.attemptTimeout, context: context
        ) { result in
            var failures = failures
            switch result.flatMap({ self.payload(of: $0) }) {
            case .success(let bytes?): return completion(.success(bytes))
            case .success(nil): break
            case .failure(let error): failures.add(error.status)
            }
            self.attempt(body, nodes.dropFirst(), failures, completion)
        }
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
