import Model

/// The highest of the states that replicas answered, and which of them hold it.
struct TopState<Record: RegisterRecord>: Sendable {
    /// nil: none of those that count has a state.
    private(set) var state: RegisterState<Record>?
    private var same = MemberSet()
    /// What the others have.
    private var others: [(member: Int, tag: Ballot)] = []

    /// - Parameter counts: false: the replica may hold the state, but is not believed when it has a higher one.
    mutating func add(_ other: RegisterState<Record>?, of member: Int, counts: Bool = true) {
        let tag = other?.tag ?? .zero
        guard counts else { return others.append((member, tag)) }
        if tag > topTag {
            state = other
            same = MemberSet()
        }
        if tag >= topTag { same.insert(member) }
    }

    var holders: MemberSet {
        var holders = same
        for other in others where other.tag == topTag { holders.insert(other.member) }
        return holders
    }

    private var topTag: Ballot { state?.tag ?? .zero }
}
