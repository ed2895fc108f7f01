import MessageBus
import Model
import Synchronization

/// The directory of a bus that starts before the cluster's state is known.
final class LateDirectory: PeerDirectory {
    private let current = Mutex<any PeerDirectory>(StaticPeerDirectory())

    func set(_ directory: any PeerDirectory) { current.withLock { $0 = directory } }

    func endpoint(of name: NodeName) -> PeerEndpoint? { current.withLock { $0 }.endpoint(of: name) }
    func peer(publicKey: [UInt8]) -> PeerEndpoint? { current.withLock { $0 }.peer(publicKey: publicKey) }
}
