/// What a signed address lets its bearer do.
struct TemporaryGrant: Sendable, Equatable {
    /// One only.
    var permission: SwiftPermission
}
