import S3Protocol
import Testing
import Wire

@testable import Gateway

@Suite struct AuthorizationTests {
    private let owner = Identity.user(UserRecord(id: "owner"))
    private let other = Identity.user(UserRecord(id: "other"))

    private func decide(_ operation: S3Operation, _ who: Identity, _ acl: CannedACL) -> Authorization.Decision {
        Authorization.decide(operation, who, bucket: BucketRecord(owner: "owner", acl: acl.rawValue))
    }

    /// What others and anonymous requests may do, by permission and the bucket's list.
    private static func expected(
        _ permission: Permission, _ acl: CannedACL, signed: Bool
    ) -> Authorization.Decision {
        let reads =
            switch acl {
            case .publicRead, .publicReadWrite: true
            case .authenticatedRead: signed
            default: false
            }
        switch permission {
        case .useService: return signed ? .allowed : .denied
        case .readBucket: return reads ? .allowed : .denied
        case .writeBucket: return acl == .publicReadWrite ? .allowed : .denied
        case .readObject: return reads ? .allowed : .dependsOnObject
        case .ownBucket: return .denied
        }
    }

    @Test("every operation × who asks × list of the bucket", arguments: S3Operation.allCases)
    func matrix(_ operation: S3Operation) {
        for acl in CannedACL.allCases {
            #expect(decide(operation, owner, acl) == .allowed)
            #expect(decide(operation, other, acl) == Self.expected(operation.permission, acl, signed: true))
            #expect(decide(operation, .anonymous, acl) == Self.expected(operation.permission, acl, signed: false))
        }
    }

    @Test("what each permission covers")
    func table() {
        let operations = { (permission: Permission) in
            Set(S3Operation.allCases.filter { $0.permission == permission })
        }
        #expect(operations(.useService) == [.listBuckets, .createBucket])
        #expect(
            operations(.writeBucket) == [
                .putObject, .copyObject, .deleteObject, .deleteObjects, .createMultipartUpload, .uploadPart,
                .uploadPartCopy, .completeMultipartUpload, .abortMultipartUpload, .listParts,
            ])
        #expect(operations(.readObject) == [.getObject, .headObject, .getObjectAttributes, .getObjectTagging])
        #expect(
            operations(.readBucket) == [
                .headBucket, .listObjects, .listObjectsV2, .listObjectVersions, .listMultipartUploads,
                .getBucketLocation,
            ])
        #expect(operations(.ownBucket).isSuperset(of: [.deleteBucket, .putBucketAcl, .getBucketAcl, .putBucketPolicy]))
    }

    @Test("an object in a private bucket may be opened by its own list, and by its owner")
    func objectLists() {
        func decide(_ who: Identity, _ acl: String, owner: String = "owner") -> Authorization.Decision {
            Authorization.decide(
                .getObject, who, bucket: BucketRecord(owner: "owner", acl: "private"),
                object: ObjectRecord(owner: owner, acl: acl))
        }
        #expect(decide(.anonymous, "public-read") == .allowed)
        #expect(decide(.anonymous, "") == .denied)
        #expect(decide(.anonymous, "authenticated-read") == .denied)
        #expect(decide(other, "authenticated-read") == .allowed)
        #expect(decide(other, "") == .denied)
        #expect(decide(other, "", owner: "other") == .allowed)
        #expect(decide(.anonymous, "", owner: "") == .denied)
    }

    @Test("an unknown list is private")
    func unknownList() {
        let bucket = BucketRecord(owner: "owner", acl: "whatever")
        #expect(Authorization.decide(.listObjects, .anonymous, bucket: bucket) == .denied)
    }

    @Test("without a bucket only users use the service")
    func service() {
        #expect(Authorization.decide(.listBuckets, other, bucket: nil) == .allowed)
        #expect(Authorization.decide(.listBuckets, .anonymous, bucket: nil) == .denied)
        #expect(Authorization.decide(.getObject, other, bucket: nil) == .denied)
    }
}
