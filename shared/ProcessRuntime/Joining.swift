import ClusterState
import Configuration
import MessageBus
import Model
import Wire

/// How a process becomes a member: the first time by a token, then by what it stored.
struct Joining {
    struct Refused: Error, CustomStringConvertible {
        let description: String
    }

    private let foundation: ProcessFoundation
    private let directory: LateDirectory
    private var configuration: Configuration { foundation.configuration }

    init(_ foundation: ProcessFoundation, directory: LateDirectory) {
        self.foundation = foundation
        self.directory = directory
    }

    /// What an earlier enrolment stored; nil: this process is not a member yet.
    func stored() throws -> EnrolmentResult? { try Enrolment.load(dataDirectory: foundation.directory.path) }

    /// Asks until the manager answers.
    func enrol(over bus: MessageBus, as member: EnrolRequest) async throws -> EnrolmentResult {
        var pause = Duration.milliseconds(100)
        while true {
            do {
                return try await enrolOnce(over: bus, as: member)
            } catch let error as BusError where error.status == .forbidden || error.status == .conflict {
                throw Refused(description: "the manager refuses to enrol this process: \(error.message)")
            } catch {
                foundation.logger.warning("not enrolled yet", metadata: ["error": "\(error)"])
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(5))
        }
    }

    private func enrolOnce(over bus: MessageBus, as member: EnrolRequest) async throws -> EnrolmentResult {
        let token = try joinToken()
        directory.setEnrolment(
            address: configuration[CommonSettings.managerEnrolment], managerKey: token.managerKey)
        let result = try await Enrolment.enrol(
            over: bus, manager: LateDirectory.enrolment, token: token, member: member,
            dataDirectory: foundation.directory.path)
        foundation.logger.info(
            "enrolled", metadata: ["cluster": "\(result.clusterID)", "writer": "\(result.writer)"])
        return result
    }

    /// Asks from time to time, while no manager answers, whether this process is a member still.
    func watchMembership(
        _ enrolment: EnrolmentResult, _ mirror: ClusterStateMirror, over bus: MessageBus, as member: EnrolRequest
    ) -> MembershipCheck {
        directory.setEnrolment(
            address: configuration[CommonSettings.managerEnrolment], managerKey: enrolment.managerKey)
        return MembershipCheck(bus: bus, member: member, logger: foundation.logger) { mirror.isFollowing }
    }

    private func joinToken() throws -> JoinToken {
        let text: String
        if let given = configuration[CommonSettings.joinToken] {
            text = given
        } else if let path = configuration[CommonSettings.joinTokenFile] {
            text = try SecretFile.read(path)
        } else {
            throw Refused(description: "neither node.join_token nor node.join_token_file is set")
        }
        guard let token = JoinToken(text) else { throw Refused(description: "the join token is malformed") }
        let pinned = configuration[CommonSettings.managerPublicKey]
        guard pinned == nil || bytes(ofHex: pinned ?? "") == token.managerKey else {
            throw Refused(description: "manager.public_key differs from the key in the join token")
        }
        return token
    }

    /// Where to find the manager that enrolled this process, until the cluster's state says more.
    func managers(_ enrolment: EnrolmentResult) throws -> [PeerEndpoint] {
        let name = NodeName(enrolment.managerName)
        return [
            PeerEndpoint(
                name: name, role: .manager, address: try addresses().enrolling(name), publicKey: enrolment.managerKey)
        ]
    }

    /// What the configuration says of all managers.
    func addresses() throws -> ManagerAddresses {
        try ManagerAddresses(configuration[CommonSettings.managerAddresses])
    }
}
