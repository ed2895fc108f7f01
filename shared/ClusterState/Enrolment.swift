import Foundation
import MessageBus
import Model
import Wire

/// What a process got when it was enrolled. Kept in its data directory, readable by its owner alone.
public struct EnrolmentResult: Sendable, Equatable {
    public var clusterID: String
    /// Unique number of this process: the writer id of its ballots.
    public var writer: UInt64
    /// Only for processes that authenticate clients.
    public var masterKey: [UInt8]?
    public var managerName: String
    /// CURVE key of the manager.
    public var managerKey: [UInt8]

    public init(
        clusterID: String, writer: UInt64, masterKey: [UInt8]?, managerName: String, managerKey: [UInt8]
    ) {
        self.clusterID = clusterID
        self.writer = writer
        self.masterKey = masterKey
        self.managerName = managerName
        self.managerKey = managerKey
    }
}

/// How a process that the cluster does not know yet becomes a member.
public enum Enrolment {
    public static let fileName = "enrolment.json"

    /// The stored enrolment; nil when this process has none yet.
    public static func load(dataDirectory: String) throws -> EnrolmentResult? {
        guard let bytes = try DurableFile.read(dataDirectory + "/" + fileName) else { return nil }
        return try JSONDecoder().decode(StoredEnrolment.self, from: Data(bytes)).result
    }

    /// Asks the manager once, and stores the result (0600) before it returns.
    ///
    /// - Parameters:
    ///   - bus: reaches the manager's enrolment socket under the name `manager`.
    ///   - member: name, role, public key, addresses, zone and version of this process; the token's fields are filled in.
    public static func enrol(
        over bus: any RequestSending, manager: NodeName, token: JoinToken, member: EnrolRequest, dataDirectory: String,
        timeout: Duration = .seconds(5)
    ) async throws -> EnrolmentResult {
        var request = member
        request.tokenId = token.id
        request.tokenProof = JoinToken.proof(
            secret: token.secret, name: member.name, role: member.role, publicKey: member.publicKey)
        let reply = try await bus.request(.enrol, request, to: manager, timeout: timeout, answer: EnrolReply.self)
        let result = EnrolmentResult(
            clusterID: reply.message.clusterId, writer: reply.message.writer,
            masterKey: reply.message.masterKey.isEmpty ? nil : reply.message.masterKey,
            managerName: reply.message.managerName, managerKey: token.managerKey)
        try store(result, dataDirectory: dataDirectory)
        return result
    }

    public static func store(_ result: EnrolmentResult, dataDirectory: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        try DurableFile.write(Array(encoder.encode(StoredEnrolment(result))), to: dataDirectory + "/" + fileName)
    }
}

/// The file: keys in hex.
private struct StoredEnrolment: Codable {
    struct MalformedKey: Error {}

    var clusterID: String
    var writer: UInt64
    var masterKey: String?
    var managerName: String
    var managerKey: String

    init(_ result: EnrolmentResult) {
        clusterID = result.clusterID
        writer = result.writer
        masterKey = result.masterKey.map { hexDigits(of: $0) }
        managerName = result.managerName
        managerKey = hexDigits(of: result.managerKey)
    }

    var result: EnrolmentResult {
        get throws {
            guard let manager = bytes(ofHex: managerKey) else { throw MalformedKey() }
            return EnrolmentResult(
                clusterID: clusterID, writer: writer, masterKey: masterKey.flatMap { bytes(ofHex: $0) },
                managerName: managerName, managerKey: manager)
        }
    }
}
