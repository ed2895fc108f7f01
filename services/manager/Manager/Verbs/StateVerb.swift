import Wire

/// A verb that only needs the cluster's state: computes its answer and its edit from it.
struct StateVerb: Sendable {
    typealias Run = @Sendable (VerbCall, inout StateEdit) throws(VerbError) -> any Encodable & Sendable

    /// Names of the arguments, for the message when they are wrong. Optional ones in brackets.
    let usage: String
    /// It never changes the state.
    let onlyReads: Bool
    let run: Run

    private init(_ usage: String, onlyReads: Bool = false, _ run: @escaping Run) {
        self.usage = usage
        self.onlyReads = onlyReads
        self.run = run
    }

    static let all: [String: StateVerb] = [
        "version": StateVerb("[all]", onlyReads: true, StatusVerbs.version),
        "status": StateVerb("", onlyReads: true, StatusVerbs.status),
        "suspend": StateVerb("NODE [force]", MemberVerbs.suspend),
        "resume": StateVerb("NODE", MemberVerbs.resume),
        "remove-node": StateVerb("NODE", MemberVerbs.remove),
        "remove-gateway": StateVerb("NODE", MemberVerbs.removeGateway),
        "start": StateVerb("", RingVerbs.start),
        "detach": StateVerb("NODE", RingPlanVerbs.detach),
        "takeover": StateVerb("NODE NEW-NODE", RingPlanVerbs.takeover),
        "rollback": StateVerb("NODE", RingPlanVerbs.rollback),
        "weight": StateVerb("NODE WEIGHT", RingPlanVerbs.weight),
        "zone": StateVerb("NODE ZONE", RingPlanVerbs.zone),
        "rebalance": StateVerb("[dry-run]", RingPlanVerbs.rebalance),
        "rebalance-pause": StateVerb("", RingPlanVerbs.pause),
        "rebalance-resume": StateVerb("", RingPlanVerbs.resume),
        "rebalance-rollback": StateVerb("", RingPlanVerbs.takeBack),
        "update-consistency-level": StateVerb("W R D [N]", RingVerbs.updateConsistencyLevel),
        "create-user": StateVerb("USER [password=HASH] [project=PROJECT] [role=ROLE]", UserVerbs.create),
        "import-user": StateVerb("USER ACCESS-KEY-ID SECRET-ACCESS-KEY [force]", UserVerbs.importUser),
        "delete-user": StateVerb("USER", UserVerbs.delete),
        "get-users": StateVerb("", onlyReads: true, UserVerbs.list),
        "update-user-role": StateVerb("USER 1|9", UserVerbs.updateRole),
        "update-user-password": StateVerb("USER HASH", RoleVerbs.updatePassword),
        "revoke-tokens": StateVerb("USER", RoleVerbs.revokeTokens),
        "create-project": StateVerb("PROJECT [id=ID] [description=TEXT]", ProjectVerbs.create),
        "delete-project": StateVerb("PROJECT", ProjectVerbs.delete),
        "get-projects": StateVerb("", onlyReads: true, ProjectVerbs.list),
        "add-role": StateVerb("USER PROJECT ROLE", RoleVerbs.add),
        "remove-role": StateVerb("USER PROJECT ROLE", RoleVerbs.remove),
        "get-roles": StateVerb("[USER]", onlyReads: true, RoleVerbs.list),
        "create-application-credential": StateVerb(
            "USER PROJECT NAME HASH [roles=A,B] [hours=N]", ApplicationCredentialVerbs.create),
        "delete-application-credential": StateVerb("USER NAME", ApplicationCredentialVerbs.delete),
        "get-application-credentials": StateVerb("USER", onlyReads: true, ApplicationCredentialVerbs.list),
        "add-bucket": StateVerb("BUCKET ACCESS-KEY-ID", BucketVerbs.add),
        "get-buckets": StateVerb("", onlyReads: true, BucketVerbs.list),
        "get-bucket": StateVerb("ACCESS-KEY-ID", onlyReads: true, BucketVerbs.listOwn),
        "chown-bucket": StateVerb("BUCKET ACCESS-KEY-ID", BucketVerbs.changeOwner),
        "update-acl": StateVerb(
            "BUCKET ACCESS-KEY-ID private|public-read|public-read-write", BucketVerbs.updateACL),
        "set-bucket-quota": StateVerb("BUCKET BYTES OBJECTS", QuotaVerbs.setBucket),
        "set-user-quota": StateVerb("USER BYTES OBJECTS", QuotaVerbs.setUser),
        "add-endpoint": StateVerb("HOST", EndpointVerbs.add),
        "delete-endpoint": StateVerb("HOST", EndpointVerbs.delete),
        "get-endpoints": StateVerb("", onlyReads: true, EndpointVerbs.list),
        "create-encryption-key": StateVerb("KEY", EncryptionKeyVerbs.create),
        "rotate-encryption-key": StateVerb("KEY", EncryptionKeyVerbs.rotate),
        "disable-encryption-key": StateVerb("KEY", EncryptionKeyVerbs.disable),
        "enable-encryption-key": StateVerb("KEY", EncryptionKeyVerbs.enable),
        "get-encryption-keys": StateVerb("", onlyReads: true, EncryptionKeyVerbs.list),
        "add-webhook": StateVerb("WEBHOOK URL [token=TOKEN]", WebhookVerbs.add),
        "remove-webhook": StateVerb("WEBHOOK", WebhookVerbs.remove),
        "create-token": StateVerb("[reusable] [replace] [hours=N] [name=NODE]", TokenVerbs.create),
    ]

    /// How many arguments the usage names, at least and at most.
    var argumentCounts: ClosedRange<Int> {
        let names = usage.split(separator: " ")
        let optional = names.count { $0.hasPrefix("[") }
        return (names.count - optional)...names.count
    }
}

/// One call of a verb.
struct VerbCall: Sendable {
    var arguments: [String]
    var state: ManagerState
    var context: VerbContext

    func argument(_ index: Int) -> String { arguments.indices.contains(index) ? arguments[index] : "" }

    /// The value of an argument of the form NAME=VALUE.
    func option(_ name: String) -> String? {
        arguments.first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
    }
}
