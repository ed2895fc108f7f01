import MessageBus
import Model
import NIOCore
import Synchronization
import Testing
import Wire

@testable import ProcessRuntime

@Suite("Asking a member for a manager")
struct MemberProbeTests {
    /// Answers pings of some members only, and remembers what was asked.
    private final class Pings: RequestSending {
        let alive: Set<NodeName>
        let asked = Mutex<[(type: MessageType, peer: NodeName, timeout: Duration)]>([])

        init(alive: Set<NodeName>) { self.alive = alive }

        func send(
            _ type: MessageType, body: [UInt8], payload: [ByteBuffer], to peer: NodeName, timeout: Duration,
            context: MessageContext, completion: @escaping @Sendable (Result<BusReply, BusError>) -> Void
        ) {
            asked.withLock { $0.append((type, peer, timeout)) }
            guard alive.contains(peer) else { return completion(.failure(BusError(.unreachable, "gone"))) }
            completion(.success(BusReply(body: ByteBuffer(bytes: PingReply(name: "x").encoded()), sender: peer)))
        }
    }

    private final class Inbox: Sendable {
        let answer = Mutex<Answer?>(nil)
    }

    private func ask(_ bus: Pings, _ body: [UInt8], within time: Duration = .seconds(4)) -> Answer? {
        let inbox = Inbox()
        let request = IncomingRequest(
            type: .probe, sender: "manager", role: .manager, deadline: .now + time, body: ByteBuffer(bytes: body))
        MemberProbe(bus: bus).handle(request, Responder { given in inbox.answer.withLock { $0 = given } })
        return inbox.answer.withLock { $0 }
    }

    @Test("It tells whether the other one answers, and leaves time for telling it", arguments: [true, false])
    func reached(isAlive: Bool) throws {
        let bus = Pings(alive: isAlive ? ["storage-2"] : [])
        let answer = try #require(ask(bus, ProbeRequest(target: "storage-2").encoded()))
        #expect(answer.status == .ok)
        #expect(try ProbeReply(decoding: ByteBuffer(bytes: answer.body)).reached == isAlive)
        let asked = bus.asked.withLock { $0 }
        #expect(asked.count == 1 && asked[0].type == .ping && asked[0].peer == "storage-2")
        #expect(asked[0].timeout <= .seconds(2) && asked[0].timeout > .seconds(1))
    }

    @Test("What makes no sense, or comes too late, is refused and nobody is asked")
    func refused() {
        let bus = Pings(alive: ["storage-2"])
        #expect(ask(bus, ProbeRequest(target: "").encoded())?.status == .invalidArgument)
        #expect(ask(bus, [0xff, 0xff])?.status == .malformed)
        #expect(ask(bus, ProbeRequest(target: "storage-2").encoded(), within: .zero)?.status == .deadlineExceeded)
        #expect(bus.asked.withLock { $0.isEmpty })
    }

    @Test("Only managers may have members ask each other")
    func roles() {
        for role in [MemberRole.gateway, .storage, .replicator, .repair, .admin, .roleUnspecified] {
            #expect(!RoleTable.permits(role, toSend: .probe))
        }
        #expect(RoleTable.permits(.manager, toSend: .probe))
    }
}
