import S3Protocol
import Wire

/// What somebody must be allowed to do for an operation.
enum Permission: Sendable, CaseIterable {
    /// Nothing but to be a known user.
    case useService
    /// List and probe the bucket.
    case readBucket
    /// Put and delete objects.
    case writeBucket
    /// Read the object: by the list of the bucket or of the object itself.
    case readObject
    /// All the rest belongs to the bucket's owner.
    case ownBucket
}

extension S3Operation {
    /// The one table of operation to permission.
    var permission: Permission {
        switch self {
        case .listBuckets, .createBucket: .useService
        case .headBucket, .listObjects, .listObjectsV2, .listObjectVersions, .listMultipartUploads, .getBucketLocation:
            .readBucket
        case .putObject, .copyObject, .deleteObject, .deleteObjects, .createMultipartUpload, .uploadPart,
            .uploadPartCopy, .completeMultipartUpload, .abortMultipartUpload, .listParts:
            .writeBucket
        case .getObject, .headObject, .getObjectAttributes, .getObjectTagging: .readObject
        default: .ownBucket
        }
    }
}

/// The one place that decides who may do what.
enum Authorization {
    enum Decision: Sendable, Equatable {
        case allowed
        case denied
        /// The object's own access control list decides: ask again with the object.
        case dependsOnObject
    }

    /// - Parameters:
    ///   - bucket: absent only for operations on the service.
    ///   - object: the object concerned, when it is known; only reading depends on it.
    static func decide(
        _ operation: S3Operation, _ identity: Identity, bucket: BucketRecord?, object: ObjectRecord? = nil
    ) -> Decision {
        let user = identity.userID
        guard let bucket else { return operation.permission == .useService && user != nil ? .allowed : .denied }
        if let user, user == bucket.owner { return .allowed }
        let list = CannedACL(rawValue: bucket.acl) ?? .private
        switch operation.permission {
        case .useService: return user != nil ? .allowed : .denied
        case .readBucket: return reads(list, user) ? .allowed : .denied
        case .writeBucket: return list.anyoneWrites ? .allowed : .denied
        case .ownBucket: return .denied
        case .readObject:
            if reads(list, user) { return .allowed }
            guard let object else { return .dependsOnObject }
            let isOwner = user != nil && user == object.owner
            return isOwner || reads(object.cannedACL, user) ? .allowed : .denied
        }
    }

    private static func reads(_ list: CannedACL, _ user: String?) -> Bool {
        user == nil ? list.anyoneReads : list.usersRead
    }
}
