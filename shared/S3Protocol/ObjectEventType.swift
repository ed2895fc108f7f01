/// What can happen to an object that somebody is told about, by AWS's names.
public enum ObjectEventType: String, Sendable, CaseIterable, Codable {
    case createdPut = "ObjectCreated:Put"
    case createdPost = "ObjectCreated:Post"
    case createdCopy = "ObjectCreated:Copy"
    case createdCompleteMultipartUpload = "ObjectCreated:CompleteMultipartUpload"
    case removedDelete = "ObjectRemoved:Delete"
    case removedDeleteMarkerCreated = "ObjectRemoved:DeleteMarkerCreated"
    case taggingPut = "ObjectTagging:Put"
    case taggingDelete = "ObjectTagging:Delete"
    case aclPut = "ObjectAcl:Put"
    case expiredDelete = "LifecycleExpiration:Delete"
    case expiredDeleteMarkerCreated = "LifecycleExpiration:DeleteMarkerCreated"

    /// Afterwards there is less than before, or nothing is seen of it: size and ETag are not told.
    public var isRemoval: Bool {
        switch self {
        case .removedDelete, .removedDeleteMarkerCreated, .expiredDelete, .expiredDeleteMarkerCreated: true
        default: false
        }
    }

    /// What a name in a configuration stands for, `s3:ObjectCreated:Put` or `s3:ObjectCreated:*`; empty: nothing that
    /// happens here.
    public static func named(_ name: String) -> Set<ObjectEventType> {
        guard name.hasPrefix("s3:") else { return [] }
        let name = name.dropFirst("s3:".count)
        guard name.hasSuffix(":*") else { return Set(allCases.filter { $0.rawValue == name }) }
        return Set(allCases.filter { $0.rawValue.hasPrefix(name.dropLast(1)) })
    }
}
