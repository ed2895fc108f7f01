import CZeroMQ
import Foundation
import Model
import NIOCore
import Testing
import Wire

@testable import MessageBus

/// Processes of one machine and account, which talk by unix sockets.
@Suite(.timeLimit(.minutes(1)))
struct LocalDoorTests {
    private func withDoors(_ body: (TestCluster, LocalDoors) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let doors = try LocalDoors(directory: directory + "/doors")
            try await withCluster { try await body($0, doors) }
        }
    }

    private func withTemporaryDirectory(_ body: (String) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.path + "/doors-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await body(directory)
    }

    /// Where nobody listens: who is reached all the same was not reached by the network.
    private static let nowhere = "tcp://127.0.0.1:1"

    @Test("a peer with a local door is reached without the network, payload and all")
    func local() async throws {
        try await withDoors { cluster, doors in
            let storage = try cluster.start("storage-1", .storage) { $0.localDoors = doors }
            let gateway = try cluster.start("gateway-1", .gateway) { $0.localDoors = doors }
            var endpoint = storage.endpoint()
            endpoint.address = Self.nowhere
            cluster.directory.set(endpoint)
            let payload = pattern(1 << 20)
            let answer = try await gateway.bus.ping("storage-1", payload: [payload])
            #expect(answer.message.name == "gateway-1")
            #expect(answer.payload == [payload])
        }
    }

    @Test("the role table and the names of members are in force at local doors")
    func rights() async throws {
        try await withDoors { cluster, doors in
            _ = try cluster.start("storage-1", .storage) { $0.localDoors = doors }
            let gateway = try cluster.start("gateway-1", .gateway) { $0.localDoors = doors }
            #expect(await gateway.bus.refusal(of: .fence, to: "storage-1") == .forbidden)
            let impostor = TestPeer(
                "manager-1", .manager, directory: cluster.directory, listen: nil, keys: gateway.keys
            ) { $0.localDoors = doors }
            try cluster.add(impostor)
            #expect(await impostor.bus.refusal(of: .ping, to: "storage-1") == .forbidden)
            let stranger = TestPeer("gateway-1", .gateway, directory: cluster.directory, listen: nil) {
                $0.localDoors = doors
            }
            try cluster.add(stranger)
            #expect(await stranger.bus.refusal(of: .ping, to: "storage-1") == .forbidden)
            #expect(await gateway.bus.refusal(of: .ping, to: "storage-1") == nil)
            cluster.directory.remove("gateway-1")
            #expect(await gateway.bus.refusal(of: .ping, to: "storage-1") == .forbidden)
        }
    }

    @Test("who says no key at a local door is refused")
    func nameless() async throws {
        try await withDoors { cluster, doors in
            let storage = try cluster.start("storage-1", .storage) { $0.localDoors = doors }
            let client = try RawSocketTests.RawClient(doors.address(of: storage.keys.publicKey))
            defer { client.close() }
            client.send([RawSocketTests.head()])
            try await client.expect(status: .forbidden)
        }
    }

    @Test("who is not enrolled yet finds the enrolment socket although the manager has a local door")
    func enrolment() async throws {
        try await withDoors { cluster, doors in
            let manager = try cluster.start("manager-1", .manager) {
                $0.localDoors = doors
                $0.enrolmentListen = "tcp://127.0.0.1:0"
            }
            let entrance = PeerEndpoint(
                name: "manager-1", role: .manager, address: manager.bus.enrolmentAddress,
                publicKey: manager.keys.publicKey, isEnrolment: true)
            let newcomer = TestPeer("storage-9", .storage, directory: StaticPeerDirectory([entrance]), listen: nil) {
                $0.localDoors = doors
            }
            try cluster.add(newcomer)
            #expect(await newcomer.bus.refusal(of: .enrol, to: "manager-1") == nil)
            #expect(await newcomer.bus.refusal(of: .ping, to: "manager-1") == .forbidden)
        }
    }

    @Test("the socket that a killed process left behind hides nobody")
    func leftOver() async throws {
        try await withDoors { cluster, doors in
            let storage = try cluster.start("storage-1", .storage)
            let gateway = try cluster.start("gateway-1", .gateway) { $0.localDoors = doors }
            try Self.leaveSocket(at: doors.address(of: storage.keys.publicKey))
            #expect(try await gateway.bus.ping("storage-1").message.name == "gateway-1")
        }
    }

    @Test("a peer that was reached by the network is reached by its local door once that is open")
    func moves() async throws {
        try await withDoors { cluster, doors in
            let storage = try cluster.start("storage-1", .storage)
            let gateway = try cluster.start("gateway-1", .gateway) { $0.localDoors = doors }
            #expect(await gateway.bus.refusal(of: .ping, to: "storage-1") == nil)
            let behind = TestPeer(
                "storage-1", .storage, directory: cluster.directory, keys: storage.keys,
                handler: Handler { _, responder in responder.reply(PingReply(name: "behind the local door")) }
            ) { $0.localDoors = doors }
            try cluster.add(behind)
            while try await gateway.bus.ping("storage-1").message.name != "behind the local door" {
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    @Test("a process that ends and comes back is found again")
    func restart() async throws {
        try await withDoors { cluster, doors in
            let storage = try cluster.start("storage-1", .storage) { $0.localDoors = doors }
            let gateway = try cluster.start("gateway-1", .gateway) { $0.localDoors = doors }
            #expect(await gateway.bus.refusal(of: .ping, to: "storage-1") == nil)
            await storage.bus.stop()
            #expect(await gateway.bus.refusal(of: .ping, to: "storage-1", timeout: .seconds(20)) == .unreachable)
            let again = TestPeer("storage-1", .storage, directory: cluster.directory, keys: storage.keys) {
                $0.localDoors = doors
            }
            try cluster.add(again)
            while await gateway.bus.refusal(of: .ping, to: "storage-1") != nil {
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    @Test("a folder that others may enter is refused")
    func openFolder() async throws {
        try await withTemporaryDirectory { directory in
            let open = directory + "/open"
            try FileManager.default.createDirectory(
                atPath: open, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
            #expect(throws: BusSetupError.self) { try LocalDoors(directory: open) }
            let link = directory + "/link"
            _ = try LocalDoors(directory: directory + "/closed")
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: directory + "/closed")
            #expect(throws: BusSetupError.self) { try LocalDoors(directory: link) }
            #expect(throws: BusSetupError.self) {
                try LocalDoors(directory: directory + "/" + String(repeating: "x", count: 100))
            }
        }
    }

    /// Binds a unix socket and closes it: the file stays, as after kill -9.
    private static func leaveSocket(at address: String) throws {
        let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(server) }
        let status = LocalDoors.withSocketAddress(String(address.dropFirst("ipc://".count))) { bind(server, $0, $1) }
        try #require(status == 0)
    }
}
