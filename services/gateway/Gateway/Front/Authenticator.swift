import ClusterState
import S3Protocol
import Signatures
import Synchronization
import Wire

/// Says who makes a request. The only maker of ``Identity``, whatever the payload mode of the request.
final class Authenticator: Sendable {
    /// Opens the sealed secret of a user; nil when it cannot be opened.
    typealias Unsealing = @Sendable ([UInt8]) -> [UInt8]?

    private struct Opened {
        var sealed: [UInt8]
        var secret: [UInt8]
    }

    private static let openedMax = 4096

    private let cluster: any ClusterViewing
    private let unseal: Unsealing
    private let verifier: SignatureVerifier
    private let allowsV2: Bool
    private let opened = Mutex<[String: Opened]>([:])
    /// A user who was made a moment ago may be unknown here yet.
    private let refresh: SharedRefresh

    init(cluster: any ClusterViewing, unseal: @escaping Unsealing, allowsV2: Bool, refresh: SharedRefresh) {
        self.cluster = cluster
        self.unseal = unseal
        self.allowsV2 = allowsV2
        verifier = SignatureVerifier(allowsV2: allowsV2)
        self.refresh = refresh
    }

    /// - Parameter now: Seconds since 1970.
    func authenticate(_ request: FrontRequest, now: Int64) async throws(S3Error) -> (Identity, VerifiedRequest) {
        let signable = request.signable
        do {
            return try verify(signable, now: now)
        } catch {
            guard error.code == .invalidAccessKeyId, (try? await refresh()) != nil else { throw error }
            return try verify(signable, now: now)
        }
    }

    /// Who has signed the policy of a form.
    ///
    /// - Parameter fields: of the form, by their names in lower case.
    func authenticate(_ fields: [String: String], policy: String, now: Int64) async throws(S3Error) -> Identity {
        let signature = try FormSignature { fields[$0] }
        if cluster.view.user(accessKey: signature.accessKeyID) == nil { try? await refresh() }
        let user = cluster.view.user(accessKey: signature.accessKeyID)
        try signature.verify(policy: policy, secret: user.flatMap { secret(of: $0) }, allowsV2: allowsV2)
        guard let user else { throw S3Error(.invalidAccessKeyId) }
        return .user(user)
    }

    private func verify(_ request: SignableRequest, now: Int64) throws(S3Error) -> (Identity, VerifiedRequest) {
        let view = cluster.view
        let verified = try verifier.verify(request, now: now) { key in
            view.user(accessKey: key).flatMap { secret(of: $0) }
        }
        guard let key = verified.accessKeyID else { return (.anonymous, verified) }
        guard let user = view.user(accessKey: key) else { throw S3Error(.invalidAccessKeyId) }
        return (.user(user), verified)
    }

    private func secret(of user: UserRecord) -> [UInt8]? {
        if let known = opened.withLock({ $0[user.accessKeyId] }), known.sealed == user.sealedSecret {
            return known.secret
        }
        guard let secret = unseal(user.sealedSecret) else { return nil }
        opened.withLock { opened in
            if opened.count >= Self.openedMax { opened.removeAll() }
            opened[user.accessKeyId] = Opened(sealed: user.sealedSecret, secret: secret)
        }
        return secret
    }
}
