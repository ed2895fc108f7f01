import ClusterState
import Model
import Wire

/// Containers are buckets of a project: how they are created, and how buckets of S3 become some.
enum ContainerChanges {
    /// A container has its own name among the buckets if S3 allows it and it is free; otherwise the qualified one.
    static func create(
        _ request: ChangeBucketRequest, _ state: ManagerState, _ edit: inout StateEdit, _ context: VerbContext
    ) throws(VerbError) -> ChangeBucketReply {
        let view = state.view
        guard view.projects[request.project] != nil else { throw VerbError(.notFound, "Project not found") }
        guard isValidName(request.name) else { throw VerbError(.invalidArgument, "the name of a container") }
        if let present = view.container(request.name, project: request.project) {
            return try found(present, request, &edit)
        }
        // Users of another Keystone are not known here: their containers belong to the project alone.
        guard request.owner.isEmpty || view.user(id: request.owner) != nil else {
            throw VerbError(.notFound, "User not found")
        }
        guard view.containers(project: request.project).count < context.bucketsPerUserMax else {
            return ChangeBucketReply(outcome: .bucketLimit)
        }
        let isFree = BucketChanges.isValidName(request.name) && view.buckets[request.name] == nil
        let bucket = BucketRecord(
            name: isFree
                ? request.name : BucketRecord.qualifiedName(request.name, project: request.project),
            id: request.id.count == 16 ? request.id : context.random(16), owner: request.owner, acl: "private",
            createdMilliseconds: context.now, project: request.project,
            headers: try IdentityChanges.merged([], request.headers))
        if !request.owner.isEmpty { edit.expectUnchanged(ClusterKeys.user(request.owner)) }
        edit.expectUnchanged(ClusterKeys.project(request.project))
        edit.put(ClusterKeys.bucket(bucket.name), bucket)
        return ChangeBucketReply(outcome: .bucketChanged, bucket: bucket)
    }

    /// PUT of a container that exists sets its headers.
    private static func found(
        _ present: BucketRecord, _ request: ChangeBucketRequest, _ edit: inout StateEdit
    ) throws(VerbError) -> ChangeBucketReply {
        // This very creation was carried out before, and its answer was lost.
        if !request.id.isEmpty, request.id == present.id {
            return ChangeBucketReply(outcome: .bucketChanged, bucket: present)
        }
        guard present.state == .bucketActive else { return ChangeBucketReply(outcome: .bucketBusy, bucket: present) }
        var bucket = present
        bucket.headers = try IdentityChanges.merged(present.headers, request.headers)
        if bucket != present { edit.put(ClusterKeys.bucket(bucket.name), bucket) }
        return ChangeBucketReply(outcome: .bucketExistsOwned, bucket: bucket)
    }

    /// The project that a bucket of this user belongs to; empty: none.
    ///
    /// Not when its account has a container of this name already: the two would be one.
    static func project(of owner: String, forBucket name: String, _ view: ClusterView) -> String {
        guard let project = view.user(id: owner)?.defaultProject, view.projects[project] != nil,
            view.container(name, project: project) == nil
        else { return "" }
        return project
    }

    static func isValidName(_ name: String) -> Bool {
        (1...256).contains(name.utf8.count) && !name.utf8.contains(UInt8(ascii: "/")) && !name.utf8.contains(0)
    }
}
