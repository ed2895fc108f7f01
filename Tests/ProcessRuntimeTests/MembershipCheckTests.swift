import Logging
import MessageBus
import Model
import NIOCore
import Synchronization
import Testing
import Wire

@testable import ProcessRuntime

@Suite("Whether a process is a member still")
struct MembershipCheckTests {
    /// Managers whose socket for newcomers answers as a test says.
    private final class Newcomers: RequestSending {
        let answer = Mutex<Result<EnrolReply, BusError>>(.failure(BusError(.unreachable, "nobody")))
        let asked = Mutex(0)

        func send(
            _ type: MessageType, body: [UInt8], payload: [ByteBuffer], to peer: NodeName, timeout: Duration,
            context: MessageContext, completion: @escaping @Sendable (Result<BusReply, BusError>) -> Void
        ) {
            asked.withLock { $0 += 1 }
            completion(
                answer.withLock { $0 }.map { BusReply(body: ByteBuffer(bytes: $0.encoded()), sender: peer) })
        }
    }

    private let managers = Newcomers()

    private func check(isFollowing: @escaping @Sendable () -> Bool) -> MembershipCheck {
        MembershipCheck(
            bus: managers, member: EnrolRequest(name: "storage-1", role: .storage),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), isFollowing: isFollowing)
    }

    @Test("Managers that are down say nothing about it; one that refuses does")
    func refused() async {
        let check = check { false }
        await check.step()
        #expect(check.reason == nil && managers.asked.withLock { $0 } == 1)
        managers.answer.withLock { $0 = .failure(BusError(.forbidden, "this key was removed")) }
        await check.step()
        #expect(check.reason == "this key was removed")
        managers.answer.withLock { $0 = .failure(BusError(.unavailable, "starting")) }
        await check.step()
        #expect(check.reason == "this key was removed", "it stays removed")
    }

    @Test("Whoever follows a manager is a member, and does not ask")
    func member() async {
        managers.answer.withLock { $0 = .failure(BusError(.forbidden, "the join token is not valid")) }
        let flag = Flag()
        let check = check { flag.value }
        await check.step()
        #expect(check.reason != nil)
        flag.set()
        await check.step()
        #expect(check.reason == nil && managers.asked.withLock { $0 } == 1)
    }

    private final class Flag: Sendable {
        private let flag = Mutex(false)
        var value: Bool { flag.withLock { $0 } }
        func set() { flag.withLock { $0 = true } }
    }
}
