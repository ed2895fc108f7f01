import MessageBus
import Model
import Synchronization

/// The directory of a bus that starts before the cluster's state is known.
final class LateDirectory: PeerDirectory {
    /// The manager's socket for those who are no members: it answers whoever connects.
    static let enrolment: NodeName = "enrolment"

    private struct State {
        var directory: any PeerDirectory = StaticPeerDirectory()
        var enrolment: PeerEndpoint?
    }

    private let state = Mutex(State())

    func set(_ directory: any PeerDirectory) { state.withLock { $0.directory = directory } }

    /// Where the manager enrols, and its key.
    func setEnrolment(address: String, managerKey: [UInt8]) {
        let endpoint = PeerEndpoint(
            name: Self.enrolment, role: .manager, address: address, publicKey: managerKey, isEnrolment: true)
        state.withLock { $0.enrolment = endpoint }
    }

    func endpoint(of name: NodeName) -> PeerEndpoint? {
        state.withLock { name == Self.enrolment ? $0.enrolment : $0.directory.endpoint(of: name) }
    }

    func peer(publicKey: [UInt8]) -> PeerEndpoint? {
        let (directory, enrolment) = state.withLock { ($0.directory, $0.enrolment) }
        return directory.peer(publicKey: publicKey) ?? (enrolment?.publicKey == publicKey ? enrolment : nil)
    }
}
