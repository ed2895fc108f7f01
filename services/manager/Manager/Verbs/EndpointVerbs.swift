import ClusterState
import Wire

/// Host names of the S3 endpoint: `BUCKET.HOST` addresses a bucket.
enum EndpointVerbs {
    static func add(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        let host = try host(call)
        guard call.state.entries[ClusterKeys.endpoint(host)] == nil else {
            throw VerbError(.conflict, "Already exists")
        }
        edit.put(ClusterKeys.endpoint(host), bytes: Array("\(call.context.now)".utf8))
        return DoneReport()
    }

    static func delete(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        let host = try host(call)
        guard call.state.entries[ClusterKeys.endpoint(host)] != nil else {
            throw VerbError(.notFound, "Endpoint not found")
        }
        edit.delete(ClusterKeys.endpoint(host))
        return DoneReport()
    }

    static func list(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        EndpointsReport(
            endpoints: call.state.view.endpoints.sorted().map { host in
                let value = call.state.entries[ClusterKeys.endpoint(host)]?.value ?? []
                let created = Int64(String(decoding: value, as: UTF8.self)) ?? 0
                return EndpointsReport.Endpoint(endpoint: host, createdAt: timeText(milliseconds: created))
            })
    }

    private static func host(_ call: VerbCall) throws(VerbError) -> String {
        let host = call.argument(0).lowercased()
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        let isName = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count)
                && label.utf8.allSatisfy {
                    $0 == UInt8(ascii: "-") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                }
        }
        guard isName, host.utf8.count <= 253 else { throw VerbError(.invalidArgument, "Not a host name") }
        return host
    }
}
