import Checksums
import ClusterState
import MessageBus
import Model
import NIOCore
import Register
import Wire

/// Who wants to know what healing does: how much it copies, and how long small requests take meanwhile.
public protocol HealingObserver: Sendable {
    /// Content that was copied to a replica.
    func healed(bytes: Int)
    /// A small request, that reads nothing but a record, took so long. `isRefused`: the node was too busy for it.
    func probed(_ delay: Duration, isRefused: Bool)
}

/// Brings single replicas up to date: what replicator and repair have in common. Everything here may be repeated.
public final class ReplicaHealing: Sendable {
    let registers: RegisterClient
    private let chunks: ChunkClient
    private let observer: (any HealingObserver)?
    private var environment: AccessEnvironment { registers.environment }

    public init(_ registers: RegisterClient, observer: (any HealingObserver)? = nil) {
        self.registers = registers
        self.observer = observer
        chunks = ChunkClient(registers)
    }

    // MARK: - Registers

    /// Brings one replica to a write of this tag, or to what came after it.
    /// - Parameter source: a node that most likely has the write.
    public func deliver(
        _ name: Model.RegisterName, tag: Ballot, from source: NodeName, to target: NodeName
    ) async throws(AccessError) {
        if let held = try await tagHeld(by: target, name), held >= tag { return }
        if let offered = try? await state(of: name, at: source), offered.state.tag == tag {
            // The hint says that this tag was decided.
            return try await teach(name, offered.state, blob: offered.blob, to: target)
        }
        let decided = try await registers.read(name, withBlob: true)
        guard let state = decided.state else { return }
        try await teach(name, state, blob: decided.blob, to: target)
    }

    /// Makes the replicas of a register equal. Returns those that were behind.
    ///
    /// A half done write is finished first, by a round in which all replicas take part: even what only one of them has
    /// is carried on. If one cannot take part a quorum decides; if one is out of reach the others are healed and the
    /// error is thrown at the end.
    public func heal(_ name: Model.RegisterName) async throws(AccessError) -> [NodeName] {
        var held: [(node: NodeName, tag: Ballot?)] = []
        var unreachable: AccessError?
        for node in environment.cluster.replicas(of: name) {
            do throws(AccessError) {
                held.append((node, try await tagHeld(by: node, name)))
            } catch { unreachable = error }
        }
        let allVote = unreachable == nil && held.allSatisfy { $0.tag != nil }
        if allVote, held.allSatisfy({ $0.tag == held[0].tag }) { return [] }
        let decided = allVote ? try await registers.agree(on: name) : try await registers.read(name).state
        guard let decided else { return [] }
        let behind = held.filter { $0.tag ?? .zero < decided.tag }.map(\.node)
        try await teach(name, decided, to: behind)
        if let unreachable { throw unreachable }
        return behind
    }

    private func teach(
        _ name: Model.RegisterName, _ state: RegisterState<StoredRecord>, to nodes: [NodeName]
    ) async throws(AccessError) {
        guard !nodes.isEmpty else { return }
        var blob: ByteBuffer?
        if let wanted = state.blob { blob = try await registers.fetchBlob(name: name, blob: wanted) }
        for node in nodes { try await teach(name, state, blob: blob, to: node) }
    }

    /// Gives a replica that has lost its memory a state that was decided above everything that it can have forgotten.
    /// - Parameter counter: the bound of the replica's doubt, behind which the other replicas are fenced.
    public func restore(
        _ name: Model.RegisterName, to node: NodeName, above counter: UInt64
    ) async throws(AccessError) {
        let confirmed = try await registers.confirm(name, above: counter)
        if confirmed.holders.contains(node) { return }
        try await teach(name, confirmed.state, blob: nil, to: node)
    }

    /// Installs a decided state at a node. One that has lost what it had of this register takes only a state above that:
    /// then the register is decided once more.
    func teach(
        _ name: Model.RegisterName, _ state: RegisterState<StoredRecord>, blob: ByteBuffer?, to node: NodeName
    ) async throws(AccessError) {
        let content = state.blob.flatMap { id in blob.map { StagedBlob(id: id, bytes: $0) } }
        let answer = try await learn(name, state, content, at: node)
        guard answer.outcome == .learnTooOld else { return }
        let confirmed = try await registers.confirm(name, above: answer.counter)
        if confirmed.holders.contains(node) { return }
        guard try await learn(name, confirmed.state, content, at: node).outcome != .learnTooOld else {
            throw .damaged("\(node) has lost something newer than what can be decided now")
        }
    }

    /// Sends the blob when it is asked for, or at once when it is given. What is given may be of another state: the
    /// register may have been written in between.
    private func learn(
        _ name: Model.RegisterName, _ state: RegisterState<StoredRecord>, _ content: StagedBlob?, at node: NodeName
    ) async throws(AccessError) -> LearnReply {
        var staged = content?.id == state.blob ? content : nil
        for attempt in 1...2 {
            let message = LearnRequest(
                name: Wire.RegisterName(name), state: state.stored, blob: staged?.id.bytes ?? [],
                blobCrc32c: staged?.checksum ?? 0)
            let reply = try await ask(
                .learn, message, payload: staged.map { [$0.bytes] } ?? [], of: node, answer: LearnReply.self
            ).message
            guard reply.outcome == .learnBlobMissing else {
                if reply.outcome == .learned { observer?.healed(bytes: staged?.bytes.readableBytes ?? 0) }
                return reply
            }
            guard attempt == 1, let wanted = state.blob else { break }
            staged = StagedBlob(id: wanted, bytes: try await registers.fetchBlob(name: name, blob: wanted))
        }
        throw .damaged("no replica has the content of the register")
    }

    /// Zero: it has nothing. nil: it cannot read what it has, or has no vote.
    func tagHeld(by node: NodeName, _ name: Model.RegisterName) async throws(AccessError) -> Ballot? {
        do throws(BusError) {
            let reply = try await probe(.read, ReadRequest(name: .init(name)), of: node, answer: ReadReply.self)
            return Ballot(reply.message.state?.tag)
        } catch {
            if error.status == .abstained { return nil }
            throw AccessError(error)
        }
    }

    func state(
        of name: Model.RegisterName, at node: NodeName
    ) async throws -> (state: RegisterState<StoredRecord>, blob: ByteBuffer?)? {
        let reply = try await ask(
            .read, ReadRequest(name: .init(name), withBlob: true), of: node, answer: ReadReply.self)
        guard let stored = reply.message.state else { return nil }
        let state = try RegisterState<StoredRecord>(stored)
        guard let bytes = reply.payload.first, BlobID(reply.message.blob) == state.blob,
            reply.message.blobCrc32c.matches(bytes)
        else { return (state, nil) }
        return (state, bytes)
    }

    /// Brings back what a node holds of a register and cannot read: the decided state with its content, although the
    /// node may know of it.
    public func restore(_ name: Model.RegisterName, to target: NodeName) async throws(AccessError) {
        let decided = try await registers.read(name, withBlob: true)
        guard let state = decided.state else { throw .absent }
        try await teach(name, state, blob: decided.blob, to: target)
    }

    // MARK: - Chunks

    /// Copies a chunk to a node unless it has it, or knows that it was dropped. Returns whether it was copied.
    public func copy(_ chunk: ChunkName, to target: NodeName) async throws(AccessError) -> Bool {
        try await offer(chunk, to: target) == .copied
    }

    private enum Offer {
        case present, copied
        /// Nothing refers to it, or ever will.
        case dropped
    }

    private func offer(_ chunk: ChunkName, to target: NodeName) async throws(AccessError) -> Offer {
        if try await has(chunk, at: target) { return .present }
        let sources = environment.cluster.replicas(of: chunk).filter { $0 != target }
        let copy = try await chunks.get(chunk, from: sources)
        let message = PutChunkRequest(
            blob: chunk.blob.bytes, index: chunk.index, crc32c: crc32c(copy.bytes),
            owner: copy.owner.map { Wire.RegisterName($0) }, writtenMilliseconds: copy.writtenMilliseconds)
        do throws(BusError) {
            _ = try await request(.putChunk, message, payload: [copy.bytes], of: target, answer: PutChunkReply.self)
            observer?.healed(bytes: copy.bytes.readableBytes)
            return .copied
        } catch {
            if error.status == .notFound { return .dropped }
            throw AccessError(error)
        }
    }

    /// Copies a chunk to every replica that lacks it. Returns those. What was dropped at one of them is dropped at all: some
    /// were out of reach when they were told.
    public func heal(_ chunk: ChunkName) async throws(AccessError) -> [NodeName] {
        var healed: [NodeName] = []
        for node in environment.cluster.replicas(of: chunk) {
            switch try await offer(chunk, to: node) {
            case .present: break
            case .copied: healed.append(node)
            case .dropped:
                guard chunk.index < .max else { return healed }
                _ = try await chunks.drop(chunk.blob, chunks: chunk.index..<chunk.index + 1)
                return healed
            }
        }
        return healed
    }

    private func has(_ chunk: ChunkName, at node: NodeName) async throws(AccessError) -> Bool {
        do throws(BusError) {
            let probe = GetChunkRequest(blob: chunk.blob.bytes, index: chunk.index, probe: true)
            _ = try await self.probe(.getChunk, probe, of: node, answer: GetChunkReply.self)
            return true
        } catch {
            // A chunk that is damaged there is as good as missing.
            if error.status == .notFound || error.status == .abstained { return false }
            throw AccessError(error)
        }
    }

    // MARK: - Requests

    private func probe<Q: WireMessage, A: WireMessage>(
        _ type: MessageType, _ message: Q, of node: NodeName, answer: A.Type
    ) async throws(BusError) -> (message: A, payload: [ByteBuffer]) {
        let start = ContinuousClock.now
        do throws(BusError) {
            let reply = try await request(type, message, of: node, answer: answer)
            observer?.probed(.now - start, isRefused: false)
            return reply
        } catch {
            if error.status == .overloaded { observer?.probed(.now - start, isRefused: true) }
            throw error
        }
    }

    private func ask<Q: WireMessage, A: WireMessage>(
        _ type: MessageType, _ message: Q, payload: [ByteBuffer] = [], of node: NodeName, answer: A.Type
    ) async throws(AccessError) -> (message: A, payload: [ByteBuffer]) {
        do throws(BusError) {
            return try await request(type, message, payload: payload, of: node, answer: answer)
        } catch {
            throw AccessError(error)
        }
    }

    private func request<Q: WireMessage, A: WireMessage>(
        _ type: MessageType, _ message: Q, payload: [ByteBuffer] = [], of node: NodeName, answer: A.Type
    ) async throws(BusError) -> (message: A, payload: [ByteBuffer]) {
        try await environment.bus.request(
            type, message, payload: payload, to: node, timeout: environment.options.chunkTimeout, answer: answer)
    }
}

extension AccessError {
    /// One node's refusal.
    init(_ error: BusError) {
        var failures = FailureTally()
        failures.add(error.status)
        self = failures.error
    }
}
