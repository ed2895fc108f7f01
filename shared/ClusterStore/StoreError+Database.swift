import GRDB

extension StoreError {
    /// What a failure of the database means for the caller.
    init(_ error: any Error) {
        switch error {
        case let error as StoreError: self = error
        case let error as DatabaseError where error.resultCode == .SQLITE_NOTADB:
            self = .foreignFormat(error.description)
        case let error as DatabaseError where error.resultCode == .SQLITE_MISUSE: self = .closed
        default: self = .unavailable("\(error)")
        }
    }
}
