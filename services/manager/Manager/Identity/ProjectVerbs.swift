import ClusterState
import Model
import Wire

/// Projects (tenants) of Keystone: each is an account of Swift.
enum ProjectVerbs {
    static func create(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        let name = call.argument(0)
        guard NodeName(name).isValid else {
            throw VerbError(.invalidArgument, "A project's name has 1 to 64 letters, digits and . _ - @")
        }
        let view = call.state.view
        guard view.project(name: name) == nil else { throw VerbError(.conflict, "Already exists") }
        let id = call.option("id") ?? hexDigits(of: call.context.random(16))
        // It becomes part of paths, of names of buckets and of access control lists.
        guard isValidID(id) else {
            throw VerbError(.invalidArgument, "A project's id has 1 to 64 letters, digits, _ and -")
        }
        guard view.projects[id] == nil else { throw VerbError(.conflict, "The id belongs to another project") }
        let project = ProjectRecord(
            id: id, name: name, description: call.option("description") ?? "",
            createdMilliseconds: call.context.now)
        edit.put(ClusterKeys.project(id), project)
        return ProjectReport(project)
    }

    static func isValidID(_ id: String) -> Bool { (1...64).contains(id.utf8.count) && id.utf8.allSatisfy(isIDByte) }

    /// Only of a project that nothing depends on: containers would be out of reach for their users.
    static func delete(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        let project = try existing(call.argument(0), call.state.view)
        let containers = call.state.view.containers(project: project.id)
        guard containers.isEmpty else {
            throw VerbError(
                .conflict,
                "The project has \(containers.count) container(s), one of them is \(containers[0].containerName)")
        }
        for var user in call.state.view.users.values where user.isConcerned(by: project.id) {
            user.leave(project.id)
            edit.put(ClusterKeys.user(user.id), user)
        }
        edit.delete(ClusterKeys.project(project.id))
        return DoneReport()
    }

    static func list(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        ProjectsReport(projects: call.state.view.projects.values.sorted { $0.name < $1.name }.map(ProjectReport.init))
    }

    /// By name, or by id.
    static func existing(_ text: String, _ view: ClusterView) throws(VerbError) -> ProjectRecord {
        guard let project = view.project(name: text) ?? view.projects[text] else {
            throw VerbError(.notFound, "Project not found")
        }
        return project
    }

    private static func isIDByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

extension UserRecord {
    fileprivate func isConcerned(by project: String) -> Bool {
        defaultProject == project || roles.contains { $0.project == project }
            || applicationCredentials.contains { $0.project == project }
    }

    /// Without anything that the user has in the project.
    mutating func leave(_ project: String) {
        roles.removeAll { $0.project == project }
        applicationCredentials.removeAll { $0.project == project }
        if defaultProject == project { defaultProject = roles.first?.project ?? "" }
    }
}

extension ProjectReport {
    init(_ project: ProjectRecord) {
        self.init(
            projectId: project.id, name: project.name, description: project.description,
            createdAt: timeText(milliseconds: project.createdMilliseconds))
    }
}
