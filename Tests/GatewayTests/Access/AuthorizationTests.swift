import S3Protocol
import Testing
import Wire

@testable import Gateway

@Suite struct AuthorizationTests {
    private static let owner = Identity.user(UserRecord(id: "owner"))
    private static let other = Identity.user(UserRecord(id: "other"))
    private static let key = Array("folder/key".utf8)

    /// A bucket `box` of `owner`.
    private static func rules(acl: CannedACL = .private, _ documents: [String: String] = [:]) throws -> BucketRules {
        try BucketRules(
            BucketRecord(
                name: "box", owner: "owner", acl: acl.rawValue,
                documents: documents.map { BucketDocument(name: $0.key, content: Array($0.value.utf8)) }))
    }

    private static func decide(
        _ action: S3Action, _ who: Identity, _ rules: BucketRules, object: Authorization.Object = .unknown,
        creates: Bool = false
    ) -> Authorization.Decision {
        Authorization.decide(who, action, key: key, rules: rules, object: object, creates: creates) { PolicyContext() }
    }

    private static func policy(
        _ effect: String, _ action: String, principal: String = #""*""#, _ condition: String = ""
    ) -> String {
        """
        {"Version": "2012-10-17", "Statement": [{"Effect": "\(effect)", "Principal": \(principal), "Action": "\(action)",
         "Resource": ["arn:aws:s3:::box", "arn:aws:s3:::box/*"]\(condition.isEmpty ? "" : ", \"Condition\": \(condition)")}]}
        """
    }

    // MARK: - The table

    @Test("every operation that is implemented has an action")
    func table() {
        let without = S3Operation.allCases.filter { $0.action(ofVersion: false) == nil }
        #expect(Set(without) == [.ping, .preflight, .unknown, .webPage, .writeGetObjectResponse])
    }

    @Test("an operation on a version has an action of its own where AWS has one")
    func versions() {
        #expect(S3Operation.getObject.action(ofVersion: true)?.name == "s3:GetObjectVersion")
        #expect(S3Operation.headObject.action(ofVersion: true)?.name == "s3:GetObjectVersion")
        #expect(S3Operation.deleteObject.action(ofVersion: true)?.name == "s3:DeleteObjectVersion")
        #expect(S3Operation.putObject.action(ofVersion: true)?.name == "s3:PutObject")
    }

    // MARK: - Lists

    private static let read: Set = ["s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"]
    private static let write: Set = [
        "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
    ]

    @Test("every action × who asks × list of the bucket", arguments: S3Action.all)
    func lists(_ action: S3Action) throws {
        for acl in CannedACL.allCases {
            let rules = try Self.rules(acl: acl)
            #expect(Self.decide(action, Self.owner, rules) == .allowed)
            for (who, signed) in [(Self.other, true), (.anonymous, false)] {
                let reads = acl == .publicRead || acl == .publicReadWrite || (signed && acl == .authenticatedRead)
                let decision = Self.decide(action, who, rules)
                if Self.read.contains(action.name) {
                    #expect(decision == (reads ? .allowed : .denied), "\(acl)")
                } else if Self.write.contains(action.name) {
                    #expect(decision == (acl == .publicReadWrite ? .allowed : .denied), "\(acl)")
                } else {
                    let isOfObject = action.name.contains("GetObject") || action.name.hasPrefix("s3:PutObject")
                    #expect(decision == .denied || (isOfObject && decision == .dependsOnObject), "\(acl)")
                }
            }
        }
    }

    @Test("LeoFS's way: who may list may read")
    func listCoversObjects() throws {
        var rules = try Self.rules(acl: .publicRead)
        #expect(Self.decide(.getObject, .anonymous, rules) == .dependsOnObject)
        rules.listCoversObjects = true
        #expect(Self.decide(.getObject, .anonymous, rules) == .allowed)
        #expect(Self.decide(.putObject, .anonymous, rules) == .denied)
    }

    @Test("a condition on tags that are still in the body waits for them", arguments: ["Allow", "Deny"])
    func requestTags(_ effect: String) throws {
        for (condition, tags) in [
            (#"{"StringEquals": {"s3:RequestObjectTag/team": "blue"}}"#, ["blue"]),
            (#"{"ForAnyValue:StringEquals": {"s3:RequestObjectTagKeys": "team"}}"#, ["team"]),
        ] {
            let rules = try Self.rules(["policy": Self.policy(effect, "s3:PutObjectTagging", condition)])
            let object = Authorization.Object.present(
                owner: "owner", acl: AccessControlPolicy(owner: "owner", grants: []), tags: [:])
            for who in [Self.owner, Self.other] {
                func decide(_ change: (inout PolicyContext) -> Void) -> Authorization.Decision {
                    Authorization.decide(who, .putObjectTagging, key: Self.key, rules: rules, object: object) {
                        var context = PolicyContext()
                        change(&context)
                        return context
                    }
                }
                #expect(decide { $0.lacksRequestTags = true } == .dependsOnObject)
                let meets = decide {
                    $0["s3:RequestObjectTag/team"] = tags
                    $0["s3:RequestObjectTagKeys"] = tags
                }
                #expect(meets == (effect == "Allow" ? .allowed : .denied))
                #expect((decide { _ in } == .allowed) == (who == Self.owner))
            }
        }
    }

    @Test("grants on an object, by permission and grantee")
    func grants() throws {
        let rules = try Self.rules()
        let actions: [Grant.Permission: S3Action] = [
            .read: .getObject, .readACL: .object("GetObjectAcl"), .writeACL: .putObjectAcl,
        ]
        for (permission, action) in actions {
            for granted in Grant.Permission.allCases {
                for (grantee, byOther, byAnybody) in [
                    (Grant.Grantee.user(id: "other"), true, false), (.authenticated, true, false),
                    (.everyone, true, true), (.logDelivery, false, false), (.user(id: "third"), false, false),
                ] {
                    let object = Authorization.Object.present(
                        owner: "third", acl: AccessControlPolicy(owner: "third", grants: [Grant(grantee, granted)]),
                        tags: [:])
                    let holds = granted == permission || granted == .fullControl
                    #expect(
                        Self.decide(action, Self.other, rules, object: object)
                            == (holds && byOther ? .allowed : .denied))
                    #expect(
                        Self.decide(action, .anonymous, rules, object: object)
                            == (holds && byAnybody ? .allowed : .denied))
                }
            }
        }
    }

    @Test("the owner of an object may read it and change its list; nobody learns about an absent one")
    func objectOwner() throws {
        let rules = try Self.rules()
        let object = Authorization.Object.present(
            owner: "other", acl: AccessControlPolicy(owner: "other", grants: []), tags: [:])
        #expect(Self.decide(.getObject, Self.other, rules, object: object) == .allowed)
        #expect(Self.decide(.putObjectAcl, Self.other, rules, object: object) == .allowed)
        #expect(Self.decide(.deleteObject, Self.other, rules, object: object) == .denied)
        #expect(Self.decide(.getObject, Self.other, rules, object: .absent) == .denied)
    }

    // MARK: - Policies

    @Test("every action: a policy allows it to others, and denies it to everybody", arguments: S3Action.all)
    func policies(_ action: S3Action) throws {
        guard action.name != "s3:ListAllMyBuckets", action.name != "s3:CreateBucket" else { return }
        let allowing = try Self.rules(["policy": Self.policy("Allow", action.name)])
        for who in [Self.other, .anonymous, Self.owner] { #expect(Self.decide(action, who, allowing) == .allowed) }
        let denying = try Self.rules(acl: .publicReadWrite, ["policy": Self.policy("Deny", action.name)])
        for who in [Self.other, .anonymous] { #expect(Self.decide(action, who, denying) == .denied) }
        let isOfPolicy = action.name.hasSuffix("BucketPolicy")
        #expect(Self.decide(action, Self.owner, denying) == (isOfPolicy ? .allowed : .denied))
    }

    @Test("a policy for one user opens nothing to another, and one for a prefix nothing beside it")
    func scope() throws {
        let rules = try Self.rules(["policy": Self.policy("Allow", "s3:GetObject", principal: #"{"AWS": "other"}"#)])
        #expect(Self.decide(.getObject, Self.other, rules) == .allowed)
        #expect(Self.decide(.getObject, .anonymous, rules) == .dependsOnObject)
        #expect(Self.decide(.getObject, .anonymous, rules, object: .absent) == .denied)
        #expect(Self.decide(.putObject, Self.other, rules) == .denied)
    }

    @Test("tags of the object decide once it is known")
    func tags() throws {
        let condition = #"{"StringEquals": {"s3:ExistingObjectTag/Class": "open"}}"#
        let rules = try Self.rules(["policy": Self.policy("Allow", "s3:GetObject", condition)])
        func object(_ tags: [String: String]) -> Authorization.Object {
            .present(owner: "owner", acl: AccessControlPolicy(owner: "owner", canned: .private), tags: tags)
        }
        #expect(Self.decide(.getObject, .anonymous, rules) == .dependsOnObject)
        #expect(Self.decide(.getObject, .anonymous, rules, object: object(["Class": "open"])) == .allowed)
        #expect(Self.decide(.getObject, .anonymous, rules, object: object(["class": "open"])) == .denied)
        #expect(Self.decide(.getObject, .anonymous, rules, object: .absent) == .denied)
        let denying = try Self.rules(["policy": Self.policy("Deny", "s3:GetObject", condition)])
        #expect(Self.decide(.getObject, Self.owner, denying) == .dependsOnObject)
        #expect(Self.decide(.getObject, Self.owner, denying, object: object(["Class": "open"])) == .denied)
        #expect(Self.decide(.getObject, Self.owner, denying, object: object([:])) == .allowed)
    }

    // MARK: - Ownership and public access block

    private static func blocked(_ name: String) -> String {
        "<PublicAccessBlockConfiguration><\(name)>true</\(name)></PublicAccessBlockConfiguration>"
    }

    @Test("ignored public lists, restricted public policies")
    func block() throws {
        let ignoring = try Self.rules(acl: .publicReadWrite, ["publicAccessBlock": Self.blocked("IgnorePublicAcls")])
        #expect(Self.decide(.listBucket, .anonymous, ignoring) == .denied)
        #expect(Self.decide(.putObject, Self.other, ignoring, creates: true) == .denied)
        let restricted = try Self.rules([
            "publicAccessBlock": Self.blocked("RestrictPublicBuckets"), "policy": Self.policy("Allow", "s3:GetObject"),
        ])
        #expect(restricted.isPolicyPublic)
        #expect(Self.decide(.getObject, Self.other, restricted, object: .absent) == .denied)
        #expect(Self.decide(.getObject, Self.owner, restricted) == .allowed)
        let named = try Self.rules([
            "publicAccessBlock": Self.blocked("RestrictPublicBuckets"),
            "policy": Self.policy("Allow", "s3:GetObject", principal: #"{"AWS": "other"}"#),
        ])
        #expect(!named.isPolicyPublic)
        #expect(Self.decide(.getObject, Self.other, named) == .allowed)
    }

    @Test("with BucketOwnerEnforced no list counts")
    func enforced() throws {
        let rules = try Self.rules(
            acl: .publicReadWrite,
            ["ownershipControls": String(decoding: ObjectOwnership.bucketOwnerEnforced.xml(), as: UTF8.self)])
        let object = Authorization.Object.present(
            owner: "other", acl: AccessControlPolicy(owner: "other", canned: .publicRead), tags: [:])
        for who in [Self.other, .anonymous] {
            #expect(Self.decide(.listBucket, who, rules) == .denied)
            #expect(Self.decide(.getObject, who, rules, object: object) == .denied)
        }
        #expect(Self.decide(.getObject, Self.owner, rules, object: object) == .allowed)
    }

    @Test("rules that cannot be read let nobody in")
    func damaged() {
        let record = BucketRecord(name: "box", owner: "owner", documents: [.init(name: "policy", content: [1])])
        #expect(throws: S3Error.self) { try BucketRulesCache(listCoversObjects: false).rules(of: record) }
    }
}
