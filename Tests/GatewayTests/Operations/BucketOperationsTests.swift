import S3Protocol
import Testing

@testable import Gateway

@Suite struct BucketOperationsTests {
    @Test("a bucket is created, seen, and deleted")
    func life() async {
        let gateway = TestGateway()
        let created = await gateway.send(.createBucket, .PUT, bucket: "new-box")
        #expect(created.status == 200)
        #expect(created.headers.first(name: "Location") == "/new-box")
        #expect(await gateway.send(.headBucket, .HEAD, bucket: "new-box").status == 200)
        let list = await gateway.send(.listBuckets, bucket: nil)
        #expect(list.xml?.child("Buckets")?.children("Bucket").compactMap { $0.value("Name") } == ["new-box"])
        #expect(list.xml?.child("Owner")?.value("ID") == "alice")
        #expect(await gateway.send(.deleteBucket, .DELETE, bucket: "new-box").status == 204)
        let gone = await gateway.send(.headBucket, .HEAD, bucket: "new-box")
        #expect(gone.status == 404)
        #expect(gone.body.isEmpty)
    }

    @Test("each user lists the own buckets")
    func owners() async throws {
        let gateway = try await TestGateway.withBucket()
        #expect(
            await gateway.send(.listBuckets, bucket: nil, as: TestGateway.bob).xml?.child("Buckets")?.children == [])
        #expect(await gateway.send(.listBuckets, bucket: nil, as: .anonymous).code == "AccessDenied")
    }

    @Test("buckets come in pages when asked for")
    func pages() async throws {
        let gateway = TestGateway()
        for name in ["aaa", "bbb", "bcc", "ddd"] { gateway.cluster.add(name) }
        try await gateway.cluster.refresh()
        func names(_ answer: Answer) -> [String] {
            answer.xml?.child("Buckets")?.children.compactMap { $0.value("Name") } ?? []
        }
        let first = await gateway.send(.listBuckets, bucket: nil, query: [("max-buckets", "3")])
        #expect(names(first) == ["aaa", "bbb", "bcc"])
        let token = try #require(first.xml?.value("ContinuationToken"))
        let second = await gateway.send(.listBuckets, bucket: nil, query: [("continuation-token", token)])
        #expect(names(second) == ["ddd"])
        #expect(names(await gateway.send(.listBuckets, bucket: nil, query: [("prefix", "b")])) == ["bbb", "bcc"])
    }

    @Test("creating what exists: by the owner, elsewhere, by another user")
    func existing() async {
        let gateway = TestGateway()
        func create(_ name: String, location: String? = nil, as user: Identity = TestGateway.alice) async -> Answer {
            let body = location.map {
                "<CreateBucketConfiguration><LocationConstraint>\($0)</LocationConstraint></CreateBucketConfiguration>"
            }
            return await gateway.send(
                .createBucket, .PUT, bucket: name, body: Array((body ?? "").utf8), as: user)
        }
        #expect(await create("box-1").status == 200)
        #expect(await create("box-1").status == 200)
        #expect(await create("box-1", as: TestGateway.bob).code == "BucketAlreadyExists")
        #expect(await create("box-2", location: "eu-west-1").status == 200)
        let again = await create("box-2", location: "eu-west-1")
        #expect(again.code == "BucketAlreadyOwnedByYou")
        #expect(again.status == 409)
        #expect(await gateway.send(.getBucketLocation, bucket: "box-2").xml?.text == "eu-west-1")
        #expect(await gateway.send(.getBucketLocation, bucket: "box-1").xml?.text == "")
        #expect(await create("box-3", location: "eu west").code == "InvalidLocationConstraint")
    }

    @Test("bad names, bodies and lists create nothing")
    func badCreation() async {
        let gateway = TestGateway()
        #expect(await gateway.send(.createBucket, .PUT, bucket: "Bad_Name").code == "InvalidBucketName")
        #expect(await gateway.send(.createBucket, .PUT, bucket: "box-1", body: [1, 2]).code == "MalformedXML")
        let acl = await gateway.send(.createBucket, .PUT, bucket: "box-1", headers: ["x-amz-acl": "everything"])
        #expect(acl.code == "InvalidArgument")
        #expect(await gateway.send(.createBucket, .PUT, bucket: "box-1", as: .anonymous).code == "AccessDenied")
        #expect(await gateway.send(.headBucket, .HEAD, bucket: "box-1").status == 404)
    }

    @Test("a bucket with an object is not deleted, and stays usable")
    func notEmpty() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("a")
        let refused = await gateway.send(.deleteBucket, .DELETE)
        #expect(refused.status == 409)
        #expect(refused.code == "BucketNotEmpty")
        #expect(await gateway.put("b").status == 200)
    }

    @Test("nothing is written to a bucket that is being deleted")
    func deleting() async throws {
        let gateway = try await TestGateway.withBucket()
        _ = try await gateway.cluster.change(.init(change: .bucketDeleteBegin, name: "box"), context: .init())
        try await gateway.cluster.refresh()
        let refused = await gateway.put("a")
        #expect(refused.code == "OperationAborted")
        #expect(gateway.storage.contents.withLock { $0.registers.isEmpty })
    }

    @Test("a bucket that another gateway has made is found by asking the manager")
    func unknownBucket() async throws {
        let gateway = TestGateway()
        gateway.cluster.add("fresh")
        #expect(await gateway.send(.headBucket, .HEAD, bucket: "fresh").status == 200)
        #expect(gateway.cluster.refreshes == 1)
        #expect(await gateway.send(.headBucket, .HEAD, bucket: "fresh").status == 200)
        #expect(gateway.cluster.refreshes == 1)
    }

    @Test(
        "a flood of unknown names asks the manager once in a while, and everybody gets an answer that is newer than the question"
    )
    func flood() async throws {
        let cluster = MemoryCluster()
        let directory = BucketDirectory(
            cluster: cluster, changes: cluster, refresh: SharedRefresh(cluster: cluster, interval: .milliseconds(300)))
        let began = ContinuousClock.now
        await withTaskGroup { group in
            for number in 0..<50 { group.addTask { _ = try? await directory.find("unknown-\(number)") } }
        }
        let intervals = Int((ContinuousClock.now - began) / .milliseconds(300))
        #expect(cluster.refreshes <= 2 + intervals)
        cluster.add("made-a-moment-ago")
        #expect(try await directory.find("made-a-moment-ago").name == "made-a-moment-ago")
    }

    @Test("without a manager known buckets work and changes fail as unavailable")
    func noManager() async throws {
        let gateway = try await TestGateway.withBucket()
        gateway.cluster.setUnreachable(true)
        #expect(await gateway.put("a").status == 200)
        #expect(await gateway.send(.createBucket, .PUT, bucket: "other").code == "ServiceUnavailable")
        #expect(await gateway.send(.headBucket, .HEAD, bucket: "unknown").status == 503, "nobody knows")
    }

    @Test("canned lists are set by header and by a body that says the same")
    func lists() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("a")
        #expect(await gateway.get("a", as: .anonymous).status == 403)
        #expect(await gateway.send(.putBucketAcl, .PUT, headers: ["x-amz-acl": "public-read"]).status == 200)
        #expect(await gateway.send(.listObjects, as: .anonymous).status == 200)
        #expect(await gateway.get("a", as: .anonymous).status == 403)
        #expect(await gateway.put("b", as: .anonymous).status == 403)
        let body = AccessControlPolicy(owner: "alice", canned: .publicReadWrite).xml()
        #expect(await gateway.send(.putBucketAcl, .PUT, body: body).status == 200)
        #expect(await gateway.put("b", as: .anonymous).status == 200)
        let shown = try AccessControlPolicy(parsing: await gateway.send(.getBucketAcl).body)
        #expect(shown.canned() == .publicReadWrite)
        #expect(await gateway.send(.getBucketAcl, as: TestGateway.bob).code == "AccessDenied")
    }

    @Test("grants that no canned list has are kept and count")
    func otherLists() async throws {
        let gateway = try await TestGateway.withBucket()
        var policy = AccessControlPolicy(owner: "alice", canned: .private)
        policy.grants.append(Grant(.user(id: "bob"), .read))
        #expect(await gateway.send(.putBucketAcl, .PUT, body: policy.xml()).status == 200)
        #expect(try AccessControlPolicy(parsing: await gateway.send(.getBucketAcl).body) == policy)
        #expect(await gateway.send(.listObjects, as: TestGateway.bob).status == 200)
        #expect(await gateway.send(.listObjects, as: .anonymous).status == 403)
        #expect(await gateway.send(.putBucketAcl, .PUT, headers: ["x-amz-grant-write": "id=bob"]).status == 200)
        #expect(await gateway.send(.listObjects, as: TestGateway.bob).status == 403)
        #expect(await gateway.put("b", as: TestGateway.bob).status == 200)
        #expect(await gateway.send(.putBucketAcl, .PUT, headers: ["x-amz-acl": "private"]).status == 200)
        #expect(await gateway.send(.putBucketAcl, .PUT).code == "MissingSecurityHeader")
        #expect(await gateway.send(.putBucketAcl, .PUT, body: [60]).code == "MalformedACLError")
        #expect(await gateway.get("missing", as: TestGateway.bob).status == 403)
    }

    @Test("probed sub-resources answer as if nothing were configured")
    func probes() async throws {
        let gateway = try await TestGateway.withBucket()
        let errors: [S3Operation: String] = [
            .getBucketPolicy: "NoSuchBucketPolicy", .getBucketLifecycleConfiguration: "NoSuchLifecycleConfiguration",
            .getBucketCors: "NoSuchCORSConfiguration", .getBucketTagging: "NoSuchTagSet",
            .getObjectLockConfiguration: "ObjectLockConfigurationNotFoundError",
            .getBucketEncryption: "ServerSideEncryptionConfigurationNotFoundError",
            .getBucketWebsite: "NoSuchWebsiteConfiguration",
            .getPublicAccessBlock: "NoSuchPublicAccessBlockConfiguration",
            .getBucketOwnershipControls: "OwnershipControlsNotFoundError",
            .getBucketReplication: "ReplicationConfigurationNotFoundError",
        ]
        for (operation, code) in errors {
            let answer = await gateway.send(operation)
            #expect(answer.code == code)
            #expect(answer.status == 404)
        }
        #expect(await gateway.send(.getBucketVersioning).xml?.name == "VersioningConfiguration")
        #expect(await gateway.send(.getBucketRequestPayment).xml?.value("Payer") == "BucketOwner")
        #expect(await gateway.send(.getBucketLogging).xml?.children == [])
        #expect(await gateway.send(.getBucketPolicy, as: TestGateway.bob).code == "AccessDenied")
    }

    @Test(
        "what is not implemented says so",
        arguments: [
            S3Operation.unknown, .putBucketAnalyticsConfiguration, .putBucketReplication, .restoreObject,
            .selectObjectContent, .getObjectTorrent,
        ])
    func notImplemented(_ operation: S3Operation) async throws {
        let gateway = try await TestGateway.withBucket()
        let answer = await gateway.send(operation, .PUT, key: "a")
        #expect(answer.status == 501)
        #expect(answer.code == "NotImplemented")
    }
}
