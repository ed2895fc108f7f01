/// The query of a request, decoded, in the order of the request.
public struct S3Query: Sendable, Equatable {
    public struct Item: Sendable, Equatable {
        public var name: String
        /// nil when there was no equals sign, as in `?acl`.
        public var value: String?

        public init(_ name: String, _ value: String?) {
            self.name = name
            self.value = value
        }
    }

    public var items: [Item]

    public init(_ items: [Item] = []) { self.items = items }

    /// The first value of a parameter: "" when it is there without a value, nil when it is absent.
    public subscript(name: String) -> String? {
        guard let item = items.first(where: { $0.name == name }) else { return nil }
        return item.value ?? ""
    }

    public func contains(_ name: String) -> Bool { items.contains { $0.name == name } }
}
