import Model

/// The highest of the states that replicas answered, and which of them hold it.
struct TopState<Record: RegisterRecord>: Sendable {
    /// nil: none of them has a state.
    private(set) var state: RegisterState<Record>?
    private(set) var holders = MemberSet()

    mutating func add(_ other: RegisterState<Record>?, of member: Int) {
        let tag = other?.tag ?? .zero
        let topTag = state?.tag ?? .zero
        if tag > topTag {
            state = other
            holders = MemberSet()
        }
        if tag >= topTag { holders.insert(member) }
    }
}
