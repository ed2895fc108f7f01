import Foundation
import MessageBus
import Model
import NIOCore
import Ring
import Testing
import Threads
import Wire

@testable import Storage

@Suite final class RingGateTests {
    private let directory = NSTemporaryDirectory() + "gate-" + UUID().uuidString
    private let ring = Monitor(RingTable?.none)
    private let leaving = Monitor(Set<UInt32>())

    init() throws { try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    private func gate() throws -> RingGate {
        try RingGate(
            path: directory + "/adopted-epoch", node: "a", ring: { [ring] in ring.withLock { $0 } },
            leaving: { [leaving] in leaving.withLock { $0 } })
    }

    private func install(epoch: UInt64, partitions: [UInt64]) {
        let table = RingTable(
            epoch: epoch, hashKey: (0..<16).map { UInt8($0) },
            partitions: partitions.map { PartitionReplicas(current: ["a", "b", "c"], epoch: $0) })
        ring.withLock { $0 = table }
    }

    private func request(_ epoch: UInt64) -> IncomingRequest {
        IncomingRequest(
            type: .read, sender: "gateway-1", role: .gateway, epoch: epoch, deadline: .now.advanced(by: .seconds(60)),
            body: ByteBuffer(), payload: [])
    }

    private func admit(
        _ gate: RingGate, _ epoch: UInt64, partition: Int? = nil
    ) -> Result<Responder, BusError> {
        Result { () throws(BusError) in try gate.admit(request(epoch), Responder { _ in }) { _ in partition } }
    }

    private func status(_ result: Result<Responder, BusError>) -> Status {
        if case .failure(let error) = result { error.status } else { .ok }
    }

    @Test("a request passes when the replicas of its partition have not changed since its ring")
    func partitions() throws {
        let gate = try gate()
        install(epoch: 9, partitions: [3, 9])
        #expect(status(admit(gate, 3, partition: 0)) == .ok)
        #expect(status(admit(gate, 2, partition: 0)) == .staleEpoch)
        #expect(status(admit(gate, 8, partition: 1)) == .staleEpoch)
        #expect(status(admit(gate, 9, partition: 1)) == .ok)
    }

    @Test("while what departed is being dropped its partition is not held again, others are")
    func departed() throws {
        let gate = try gate()
        install(epoch: 9, partitions: [3, 9])
        leaving.withLock { $0 = [1] }
        #expect(status(admit(gate, 9, partition: 0)) == .ok)
        #expect(status(admit(gate, 9, partition: 1)) == .unavailable)
        #expect(throws: BusError.self) { try gate.adopt(9) }
        leaving.withLock { $0 = [] }
        #expect(try gate.adopt(9) == 9)
        #expect(status(admit(gate, 9, partition: 1)) == .ok)
    }

    @Test("no newer ring is adopted while something goes by the present one")
    func withAdopted() throws {
        let gate = try gate()
        install(epoch: 9, partitions: [9])
        let adopted = Monitor(UInt64?.none)
        let thread = try gate.withAdopted { ring in
            #expect(ring.epoch == 9)
            install(epoch: 10, partitions: [10])
            let thread = BlockingThread(name: "adopt") {
                let epoch = try? gate.adopt(10)
                adopted.withLock { $0 = epoch }
            }
            #expect(status(admit(gate, 10, partition: 0)) == .ok)
            #expect(adopted.withLock { $0 } == nil)
            return thread
        }
        // The request that was let in by the newer ring is no obstacle.
        thread.join()
        #expect(adopted.withLock { $0 } == 10)
    }

    @Test("a request about everything needs the newest ring")
    func everything() throws {
        let gate = try gate()
        install(epoch: 9, partitions: [3, 4])
        #expect(status(admit(gate, 8)) == .staleEpoch)
        #expect(status(admit(gate, 9)) == .ok)
    }

    @Test("a node without the newest ring serves nobody who has it")
    func behind() throws {
        let gate = try gate()
        #expect(status(admit(gate, 1)) == .unavailable)
        install(epoch: 4, partitions: [1])
        #expect(status(admit(gate, 5, partition: 0)) == .unavailable)
        #expect(throws: BusError.self) { try gate.adopt(5) }
    }

    @Test("an epoch is adopted when all that came by an older one is answered")
    func drained() throws {
        let gate = try gate()
        install(epoch: 4, partitions: [1])
        let old = try gate.admit(request(4), Responder { _ in }) { _ in 0 }
        install(epoch: 5, partitions: [5])
        let new = try gate.admit(request(5), Responder { _ in }) { _ in 0 }
        let adopted = Monitor(UInt64?.none)
        let thread = BlockingThread(name: "adopt") {
            let epoch = try? gate.adopt(5)
            adopted.withLock { $0 = epoch }
            adopted.wake()
        }
        let isEarly = adopted.waiting { state, waiter in
            _ = waiter.wait(milliseconds: 50)
            return state.pointee != nil
        }
        #expect(!isEarly)
        old.fail(.overloaded, "")
        thread.join()
        #expect(adopted.withLock { $0 } == 5)
        new.fail(.overloaded, "")
    }

    @Test("a ring by which a request was let in is remembered, whether it was adopted or not")
    func notedBeforeServing() throws {
        install(epoch: 7, partitions: [7])
        #expect(status(admit(try gate(), 7, partition: 0)) == .ok)
        install(epoch: 6, partitions: [1])
        #expect(status(admit(try gate(), 6, partition: 0)) == .unavailable)
    }

    @Test("what is adopted is remembered: with an older ring the node serves nobody after a restart")
    func restart() throws {
        install(epoch: 7, partitions: [7])
        #expect(try gate().adopt(6) == 7)
        install(epoch: 6, partitions: [1])
        let restarted = try gate()
        #expect(status(admit(restarted, 6, partition: 0)) == .unavailable)
        install(epoch: 7, partitions: [7])
        #expect(status(admit(restarted, 7, partition: 0)) == .ok)
    }
}
