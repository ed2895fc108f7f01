import Checksums
import ClusterState
import NIOPosix
import Synchronization

/// Checks passwords on threads of its own: one check costs some 50 ms. A password that was right is remembered, as a keyed hash,
/// so that clients that log in again and again cost little.
final class PasswordChecker: Sendable {
    /// More checks wait already than can be done in a few seconds.
    struct Overloaded: Error {}

    private static let waitingMax = 64
    private static let rememberedMax = 4096

    private let threads = NIOThreadPool(numberOfThreads: 1)
    private let waiting = Atomic<Int>(0)
    /// Known to this process only.
    private let key = randomBytes(32)
    /// By stored hash.
    private let remembered = Mutex<[String: [UInt8]]>([:])
    /// An unknown user must take as long as a known one.
    private let decoy = PasswordHash.ofNobody()

    init() { threads.start() }

    deinit { threads.shutdownGracefully { _ in } }

    /// - Parameter stored: the text of a ``PasswordHash``; nil, empty or damaged: no password is right, after the same time.
    func matches(_ password: String, stored: String?) async throws(Overloaded) -> Bool {
        let mark = hmac(.sha256, key: key, password)
        if let stored, let known = remembered.withLock({ $0[stored] }), constantTimeEqual(known, mark) { return true }
        guard waiting.wrappingAdd(1, ordering: .relaxed).newValue <= Self.waitingMax else {
            waiting.wrappingSubtract(1, ordering: .relaxed)
            throw Overloaded()
        }
        defer { waiting.wrappingSubtract(1, ordering: .relaxed) }
        let hash = stored.flatMap(PasswordHash.init)
        let subject = hash ?? decoy
        guard let isRight = try? await threads.runIfActive({ subject.matches(password) }) else { throw Overloaded() }
        guard isRight, hash != nil, let stored else { return false }
        remembered.withLock { remembered in
            if remembered.count >= Self.rememberedMax { remembered.removeAll() }
            remembered[stored] = mark
        }
        return true
    }
}
