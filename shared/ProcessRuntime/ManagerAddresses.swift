import Model

/// Where the configuration says that managers are: `tcp://host:port` for the one that enrolled this process,
/// `NAME=tcp://host:port` for any. Of managers that it does not name, the cluster's state tells the place.
struct ManagerAddresses: Equatable {
    struct Refused: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    private var enrolling: String?
    private(set) var named: [NodeName: String] = [:]

    init(_ texts: [String]) throws(Refused) {
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let address = parts.last, address.hasPrefix("tcp://") else {
                throw Refused(
                    description: "manager.addresses: \"\(text)\" is not tcp://host:port or NAME=tcp://host:port")
            }
            if parts.count == 2 {
                let name = NodeName(parts[0])
                guard name.isValid, named.updateValue(address, forKey: name) == nil else {
                    throw Refused(description: "manager.addresses: \"\(parts[0])\" is no name, or is there twice")
                }
            } else {
                guard enrolling == nil else {
                    throw Refused(description: "manager.addresses: of several addresses each needs its manager's NAME=")
                }
                enrolling = address
            }
        }
    }

    /// The address of the manager that enrolled this process.
    func enrolling(_ name: NodeName) throws(Refused) -> String {
        guard let address = named[name] ?? enrolling else {
            throw Refused(
                description: "manager.addresses: the address of \(name), which enrolled this process, is required")
        }
        return address
    }
}
